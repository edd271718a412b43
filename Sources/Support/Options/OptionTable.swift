import CJansson

/// All options of a kind of object, by their names in the C headers.
package struct OptionTable<Target> {
  private let options: [Option<Target>]

  package init(_ options: [Option<Target>]) {
    self.options = options
  }

  /// Validates all options; the error names the one that breaks a rule.
  package func check(_ target: Target) throws(OptionError) {
    for option in options { try option.check(target) }
  }

  /// Sets the options in a JSON object; errors refer to the object as `argument`.
  ///
  /// The target is unchanged if an error is thrown. The object must have all `required` members, and not both
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
