import ArgyleSandbox
import Support

/// What an `argyle_sandbox_error` points to.
final class ErrorObject {
  /// One line: the names in it are the caller's, and may hold anything.
  let message: CText

  init(_ error: SandboxError) {
    message = CText(error.message.utf8.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 })
  }
}
