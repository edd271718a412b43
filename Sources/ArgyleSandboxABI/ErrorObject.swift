import ArgyleSandbox
import Support

/// The object behind an `argyle_sandbox_error`.
final class ErrorObject {
  /// One line: names in it come from the caller and may contain anything.
  let message: CText

  init(_ error: SandboxError) {
    message = CText(error.message.utf8.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 })
  }
}
