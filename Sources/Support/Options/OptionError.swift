/// Why options are invalid.
package enum OptionError: Error {
  case outOfMemory
  /// A rule of an option, or of the object that contains the options, is broken.
  case invalid(name: String, rule: String)

  /// Creates the error for an option that breaks a rule.
  // Not inlined, because it is used in many places.
  @inline(never)
  package static func invalid(_ name: StaticString, _ rule: String) -> OptionError {
    .invalid(name: String(cString: name.cString), rule: rule)
  }
}
