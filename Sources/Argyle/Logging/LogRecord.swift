/// One thing that happened to a call, for a program's log.
///
/// What a record may hold is listed here, and nothing else gets into one: no header, no body, no query, no key and no
/// token. The path holds the user's id.
public struct LogRecord: Sendable {
  /// How much a record matters: the numbers of the C header's `ARGYLE_LOG_…`.
  public enum Level: Int32, Sendable {
    /// An attempt has ended.
    case debug = 1
    /// A call will be repeated.
    case info = 2
    /// A call has failed.
    case warning = 3
  }

  /// How much it matters.
  public let level: Level

  /// One line for people, whose wording may change between versions.
  public let message: String

  /// The same for programs.
  ///
  /// - `method`, `path`, `host`: what was asked of whom.
  /// - `attempt`: the number of the attempt, or of the last one of a call that has failed; absent where none was made.
  /// - `milliseconds`: how long the attempt took, whether an answer came or not; or the whole call that has failed.
  /// - `status`, `trace_id`: what the answer said; absent where none came.
  /// - `error`: the code's name, of a failure.
  /// - `wait_ms`: how long until the next attempt.
  public let fields: JSON
}

extension LogRecord: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}
