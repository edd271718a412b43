import Support

extension SandboxOptions {
  /// All options by their names in argyle-sandbox.h, with their types and rules.
  package static var table: OptionTable<SandboxOptions> {
    OptionTable([
      text("key_id", { $0.keyID }, { $0.keyID = $1 }),
      text("key_secret", { $0.keySecret }, { $0.keySecret = $1 }),
      Option("port", .integer(portRange, { Int($0.port) }, { $0.port = UInt16(clamping: $1) })),
      text("database", { $0.database }, { $0.database = $1 }),
      text("other_key_id", { $0.otherKeyID }, { $0.otherKeyID = $1 }),
      text("other_key_secret", { $0.otherKeySecret }, { $0.otherKeySecret = $1 }),
      Option("faults", .flatObjects { $0.faults = $1 }),
      Option(
        "timeout",
        .integer(timeoutRange, { $0.timeoutSeconds }, { $0.timeoutSeconds = $1 })
      ),
      text("log", { $0.log }, { $0.log = $1 }),
      text("certificate", { $0.certificate }, { $0.certificate = $1 }),
      text("certificate_key", { $0.certificateKey }, { $0.certificateKey = $1 }),
    ])
  }

  private static func text(
    _ name: StaticString,
    _ get: @escaping (SandboxOptions) -> String?,
    _ set: @escaping (inout SandboxOptions, String) -> Void
  ) -> Option<SandboxOptions> {
    // In C it would end the string.
    Option(name, .text(get, set) { $0.utf8.contains(0) ? "must not contain U+0000" : nil })
  }

  /// Valid timeouts, in seconds.
  package static var timeoutRange: ClosedRange<Int> { 1...3600 }

  /// Valid ports; 0 means any free port.
  package static var portRange: ClosedRange<Int> { 0...65535 }
}
