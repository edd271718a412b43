import CJansson

/// The rules of options and their messages.
///
/// They are outside the generic types, or the compiler would generate them for each kind of object.
enum OptionRules {
  @inline(never)
  static func check(_ name: StaticString, _ broken: String?) throws(OptionError) {
    if let broken { throw .invalid(name, broken) }
  }

  @inline(never)
  static func check(
    _ name: StaticString,
    _ number: Int,
    _ range: ClosedRange<Int>
  ) throws(OptionError) -> Int {
    guard range.contains(number) else {
      let bounds = "\(range.lowerBound) and \(range.upperBound)"
      throw .invalid(name, "must be between \(bounds), got \(number)")
    }
    return number
  }

  @inline(never)
  static func check(_ name: StaticString, _ time: Duration) throws(OptionError) {
    guard time.wholeMilliseconds != nil else {
      throw .invalid(name, "must be between 1 and \(Int32.max) milliseconds")
    }
  }

  @inline(never)
  static func check(
    _ name: StaticString,
    _ number: Double,
    _ range: ClosedRange<Double>,
    _ bounds: StaticString
  ) throws(OptionError) {
    guard range.contains(number) else {
      throw .invalid(name, "must be between \(String(cString: bounds.cString))")
    }
  }

  @inline(never)
  static func members(
    of object: UnsafePointer<json_t>,
    _ argument: StaticString,
    requiring required: [StaticString],
    alternatives: (StaticString, StaticString)?
  ) throws(OptionError) -> [ObjectMember] {
    guard let members = ObjectMember.all(of: object) else {
      throw .invalid(argument, "must be a JSON object")
    }
    let has = { (name: StaticString) in members.contains { $0.isNamed(name) } }
    if let (one, other) = alternatives, has(one), has(other) {
      let names = "\(String(cString: one.cString)) and \(String(cString: other.cString))"
      throw .invalid(name: names, rule: "must not both be given")
    }
    for name in required where !has(name) {
      throw .invalid(argument, "must have \(String(cString: name.cString))")
    }
    return members
  }

  @inline(never)
  static func unknown(_ member: ObjectMember, of argument: StaticString) -> OptionError {
    .invalid(argument, "has an unknown key \"\(member.name.printable)\"")
  }
}
