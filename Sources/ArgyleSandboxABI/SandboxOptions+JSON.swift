import ArgyleSandbox
import CJansson
import Support

extension SandboxOptions {
  /// Every option that JSON can give, under the name that argyle-sandbox.h has for it.
  private static var readers: [OptionReader] {
    [
      .text("key_id") { $0.keyID = $1 },
      .text("key_secret") { $0.keySecret = $1 },
      .integer("port", 0...65535) { $0.port = UInt16(truncatingIfNeeded: $1) },
      .text("database") { $0.database = $1 },
      .text("other_key_id") { $0.otherKeyID = $1 },
      .text("other_key_secret") { $0.otherKeySecret = $1 },
      .flatObjects("faults") { $0.faults = $1 },
      .integer("timeout", 1...3600) { $0.timeoutSeconds = $1 },
      .text("log") { $0.log = $1 },
      .text("certificate") { $0.certificate = $1 },
      .text("certificate_key") { $0.certificateKey = $1 },
    ]
  }

  /// Reads options from a JSON object; NULL leaves all at their defaults.
  init(_ object: UnsafePointer<json_t>?) throws(SandboxError) {
    var options = SandboxOptions()
    if let object {
      guard let members = ObjectMember.all(of: object) else {
        throw .option("options must be a JSON object")
      }
      let readers = SandboxOptions.readers
      for member in members {
        guard let reader = readers.first(where: { member.isNamed($0.name) }) else {
          throw .option("options has an unknown key \"\(member.name)\"")
        }
        try reader.apply(member, to: &options)
      }
    }
    self = options
  }
}
