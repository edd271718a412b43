/// One log record about a call.
///
/// A record contains only what is listed here: no header, no body, no query, no key and no token. The path contains the
/// user's id.
public struct LogRecord: Sendable {
  /// Severity; the raw values are the C header's `ARGYLE_LOG_…`.
  public enum Level: Int32, Sendable {
    /// An attempt completed.
    case debug = 1
    /// A call will be retried.
    case info = 2
    /// A call failed.
    case warning = 3
  }

  /// The severity.
  public let level: Level

  /// One line for humans; its wording may change between versions.
  public let message: String

  /// The same for programs.
  ///
  /// - `method`, `path`, `host`: the request.
  /// - `attempt`: number of the attempt, or of a failed call's last one; absent if there was none.
  /// - `milliseconds`: duration of the attempt, with or without a response, or of the whole failed call.
  /// - `status`, `trace_id`: from the response; absent if there was none.
  /// - `error`: name of the error code, for a failure.
  /// - `wait_ms`: time until the next attempt.
  public let fields: JSON
}

extension LogRecord: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}
