import Argyle
import CArgyle
import CJansson
import Support

/// A C log function and its context.
struct LogFunction: @unchecked Sendable {
  // Unchecked: the caller guarantees that the function and context may be used from any thread.
  let function: argyle_log_function
  let context: UnsafeMutableRawPointer?

  func receive(_ record: LogRecord) {
    let fields = try? record.fields.makeReference(argument: "fields")
    let message = CText(record.message)
    withExtendedLifetime((message, fields)) {
      guard let text = message.pointer, let fields else { return }
      fields.withValue { function(record.level.rawValue, text, UnsafePointer($0), context) }
    }
  }
}
