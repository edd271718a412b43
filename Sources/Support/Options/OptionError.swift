/// Why options cannot be used.
package enum OptionError: Error {
  /// An allocation failed.
  case outOfMemory
  /// They break a rule: of an option, or of the object that they stand in.
  case invalid(name: String, rule: String)

  /// The error of an option that breaks a rule.
  // Not inlined, for it is made in many places.
  @inline(never)
  package static func invalid(_ name: StaticString, _ rule: String) -> OptionError {
    .invalid(name: String(cString: name.cString), rule: rule)
  }
}
