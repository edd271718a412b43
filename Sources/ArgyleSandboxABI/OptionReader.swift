import ArgyleSandbox
import Support

/// How one option is read from JSON.
struct OptionReader {
  let name: StaticString
  private let read: (ObjectMember, inout SandboxOptions) throws(SandboxError) -> Void

  /// Sets the option to a member's value.
  func apply(_ member: ObjectMember, to options: inout SandboxOptions) throws(SandboxError) {
    try read(member, &options)
  }

  /// An option that is a string.
  static func text(
    _ name: StaticString,
    _ set: @escaping (inout SandboxOptions, String) -> Void
  ) -> OptionReader {
    OptionReader(name: name) { member, options throws(SandboxError) in
      guard let text = member.string else {
        throw .option("\(member.name) must be \(member.isString ? "UTF-8" : "a string")")
      }
      // C would take it for the end of the text.
      if text.utf8.contains(0) { throw .option("\(member.name) must not contain U+0000") }
      set(&options, text)
    }
  }

  /// An option that is a whole number.
  static func integer(
    _ name: StaticString,
    _ range: ClosedRange<Int>,
    _ set: @escaping (inout SandboxOptions, Int) -> Void
  ) -> OptionReader {
    OptionReader(name: name) { member, options throws(SandboxError) in
      guard let number = member.integer else {
        throw .option("\(member.name) must be an integer")
      }
      guard range ~= number else {
        throw .option(
          "\(member.name) must be from \(range.lowerBound) to \(range.upperBound), not \(number)"
        )
      }
      set(&options, number)
    }
  }

  /// An option that is an array of objects, each with members that are neither arrays nor objects.
  static func flatObjects(
    _ name: StaticString,
    _ set: @escaping (inout SandboxOptions, [String]) -> Void
  ) -> OptionReader {
    OptionReader(name: name) { member, options throws(SandboxError) in
      guard let texts = member.flatObjects else {
        throw .option("\(member.name) must be an array of flat JSON objects")
      }
      set(&options, texts)
    }
  }
}
