import Support
import Transport

/// Creates log records for a client's calls.
struct CallLog: Sendable {
  private let receive: @Sendable (LogRecord) -> Void

  init(_ receive: @escaping @Sendable (LogRecord) -> Void) {
    self.receive = receive
  }

  /// Logs an event, if it is one to be logged.
  func logEvent(_ event: CallMachine.Event, _ machine: CallMachine, _ times: CallTimes) {
    let attempt = machine.attempts
    switch event {
    case .answered(let response):
      let time = times.ended
      logResponse(machine.context, response.head, attempt: attempt, microseconds: time)
    case .failed(let failure) where !failure.hadUnsolicitedInput:
      // libcurl reports no time for an attempt that failed before connecting.
      let time = MonotonicClock.now - machine.attemptStart
      logFailure(machine.context, failure, attempt: attempt, microseconds: time)
    case .failed, .started, .waited, .startFailed, .cancelled: break
    }
  }

  private func logResponse(
    _ context: CallContext,
    _ head: ResponseHead,
    attempt: Int,
    microseconds: Int64
  ) {
    let milliseconds = microseconds / 1000
    var fields = CallLog.fields(context, attempt: attempt)
    fields.append(("status", .integer(Int64(head.status))))
    fields.append(("milliseconds", .integer(milliseconds)))
    if let traceID = context.traceID(in: head) { fields.append(("trace_id", .string(traceID))) }
    let text = "status \(head.status) after \(milliseconds) ms, attempt \(attempt)"
    receive(
      LogRecord(level: .debug, message: context.message(text), fields: CallLog.object(fields))
    )
  }

  private func logFailure(
    _ context: CallContext,
    _ failure: TransferFailure,
    attempt: Int,
    microseconds: Int64
  ) {
    let milliseconds = microseconds / 1000
    var fields = CallLog.fields(context, attempt: attempt)
    fields.append(("error", .string(ArgyleError.Code(failure.kind).name)))
    fields.append(("milliseconds", .integer(milliseconds)))
    let reason = context.message(failure.reason, detail: failure.detail)
    let text = "\(reason), attempt \(attempt), after \(milliseconds) ms"
    receive(LogRecord(level: .debug, message: text, fields: CallLog.object(fields)))
  }

  /// Logs the backoff before the next attempt.
  func logBackoff(_ context: CallContext, attempt: Int, microseconds: Int64) {
    let milliseconds = microseconds / 1000
    var fields = CallLog.fields(context, attempt: attempt)
    fields.append(("wait_ms", .integer(milliseconds)))
    let text = "attempt \(attempt) failed, retrying in \(milliseconds) ms"
    receive(LogRecord(level: .info, message: context.message(text), fields: CallLog.object(fields)))
  }

  /// Logs a failed call.
  func logError(_ context: CallContext, _ error: ArgyleError, microseconds: Int64) {
    let milliseconds = microseconds / 1000
    var fields = CallLog.fields(context, attempt: error.attempts)
    fields.append(("error", .string(error.code.name)))
    fields.append(("milliseconds", .integer(milliseconds)))
    if let status = error.httpStatus { fields.append(("status", .integer(Int64(status)))) }
    if let traceID = error.traceID { fields.append(("trace_id", .string(traceID))) }
    // Not the error's own message: it may quote what the service said about a user.
    let text = "failed: \(error.code.name) after \(milliseconds) ms, attempts: \(error.attempts)"
    receive(
      LogRecord(level: .warning, message: context.message(text), fields: CallLog.object(fields))
    )
  }

  private static func fields(_ context: CallContext, attempt: Int) -> [(String, JSON)] {
    let call: [(String, JSON)] = [
      ("method", .string(context.request.method.name)),
      ("path", .string(context.path)),
      ("host", .string(context.host)),
    ]
    return attempt == 0 ? call : call + [("attempt", .integer(Int64(attempt)))]
  }

  private static func object(_ fields: [(String, JSON)]) -> JSON {
    .object(JSONObject(fields))
  }
}
