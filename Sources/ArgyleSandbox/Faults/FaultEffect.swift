/// What a fault does to a request.
///
/// | `kind`       | parameters                                        | |
/// |--------------|---------------------------------------------------|-|
/// | `rate_limit` | `retry_after` (s), `retry_after_date`, `body`     | 429, not carried out |
/// | `error`      | `status` (400 to 599, default 500), `body`        | this status, not carried out |
/// | `body`       | `body` (required)                                 | carried out, with another body |
/// | `delay`      | `milliseconds` (required)                         | carried out, with a delayed response |
/// | `close`      | `when` (`before` or `after`, required)            | no response; carried out if `after` |
enum FaultEffect {
  case error(ErrorResponse)
  case body(FaultBody)
  case delay(milliseconds: Int)
  case close(carriedOut: Bool)

  /// Ten minutes, longer than any client waits.
  private static var maximumDelay: Int { 600_000 }
  private static var maximumRetryAfter: Int { 31_536_000 }

  init(_ members: inout JSONMembers) throws(SandboxError) {
    let kinds = ["rate_limit", "error", "body", "delay", "close"]
    guard let kind = try members.choice("kind", kinds) else { throw .option("'kind' is required") }
    if kind.utf8.matches("rate_limit") {
      let seconds = try members.integer("retry_after", 0...Self.maximumRetryAfter)
      let asDate = try members.boolean("retry_after_date") ?? false
      if asDate, seconds == nil { throw .option("'retry_after_date' needs 'retry_after'") }
      let body = try FaultBody(&members, FaultBody.forErrors)
      self = .error(
        ErrorResponse(
          status: 429,
          retryAfter: seconds,
          retryAfterIsDate: asDate,
          body: body ?? .json
        )
      )
    } else if kind.utf8.matches("error") {
      let status = try members.integer("status", 400...599) ?? 500
      let body = try FaultBody(&members, FaultBody.forErrors)
      self = .error(ErrorResponse(status: UInt32(status), body: body ?? .json))
    } else if kind.utf8.matches("body") {
      guard let body = try FaultBody(&members, FaultBody.forResponses) else {
        throw .option("'body' is required")
      }
      self = .body(body)
    } else if kind.utf8.matches("delay") {
      guard let milliseconds = try members.integer("milliseconds", 0...Self.maximumDelay) else {
        throw .option("'milliseconds' is required")
      }
      self = .delay(milliseconds: milliseconds)
    } else {
      guard let when = try members.choice("when", ["before", "after"]) else {
        throw .option("'when' is required")
      }
      self = .close(carriedOut: when.utf8.matches("after"))
    }
  }
}
