import CJansson

/// Every option of one kind of object, under the names that the C headers have for them.
package struct OptionTable<Target> {
  private let options: [Option<Target>]

  package init(_ options: [Option<Target>]) {
    self.options = options
  }

  /// Checks all options; an error names the one that breaks a rule.
  package func check(_ target: Target) throws(OptionError) {
    for option in options { try option.check(target) }
  }

  /// Sets the options that a JSON object has, which an error calls by the argument's name.
  ///
  /// The target is left as it was where an error is thrown. The object must have all that are required, and not both
  /// alternatives.
  package func read(
    _ object: UnsafePointer<json_t>,
    _ argument: StaticString,
    into target: inout Target,
    requiring required: [StaticString] = [],
    alternatives: (StaticString, StaticString)? = nil
  ) throws(OptionError) {
    let members = try OptionRules.members(
      of: object,
      argument,
      requiring: required,
      alternatives: alternatives
    )
    var result = target
    for member in members {
      guard let option = options.first(where: { member.isNamed($0.name) }) else {
        throw OptionRules.unknown(member, of: argument)
      }
      try option.read(member, into: &result)
    }
    target = result
  }
}
