import Support
import Testing
import Transport

@testable import Argyle

/// The states of a call, without a network or a clock.
struct CallMachineTests {
  private static let get = Request(.get, "/v1/users/u")
  private static let create = Request(.post, "/v1/users")
  private static let delete = Request(.delete, "/v1/users/u")

  private static let deadConnection = TransferFailure(
    .connection,
    "closed",
    mayHaveBeenReceived: true,
    keptConnectionWasDead: true,
    milliseconds: 70
  )

  private static let refused = TransferFailure(
    .connection,
    "refused",
    mayHaveBeenReceived: false,
    wasRefused: true,
    milliseconds: 70
  )

  private static let spoiled = TransferFailure(
    .connection,
    "spoiled",
    mayHaveBeenReceived: false,
    hadUnsolicitedInput: true,
    milliseconds: 7
  )

  /// Runs a call with the given events, all at time 0; returns its result and how many requests it sent.
  private func run(
    _ request: Request,
    _ events: [CallMachine.Event]
  ) throws -> (result: Result<Answer, ArgyleError>, sent: Int) {
    let limits = CallLimits(timeoutMilliseconds: 1000, maxRetries: 0)
    var machine = CallMachine(
      CallContext(
        request,
        authority: "host:1",
        secrets: ["canary", "YmFzaWM="].map { Secret($0.utf8) }
      ),
      limits,
      RetryBudget()
    )
    var events = events.makeIterator()
    var step = machine.handle(.started, at: 0) { 0 }
    var sent = 0
    // Milliseconds that earlier attempts have used of the timeout.
    var spent = 0
    while true {
      switch step {
      case .finish(let result): return (result, sent)
      case .wait(let time):
        Issue.record("the call waits until \(time)")
        return (.failure(.outOfMemory), sent)
      case .send(let end):
        sent += 1
        #expect(end == Int64(1000 - spent) * 1000)
        let next = events.next()
        let event = try #require(next)
        if case .failed(let failure) = event { spent += failure.milliseconds }
        step = machine.handle(event, at: 0) { 0 }
      }
    }
  }

  private func error(_ request: Request, _ events: [CallMachine.Event]) throws -> ArgyleError {
    let result = try run(request, events).result
    return try #require(throws: ArgyleError.self) { try result.get() }
  }

  private func status(_ status: Int, retryAfter: String? = nil, _ body: String = "")
    -> CallMachine.Event
  {
    .answered(
      Response(
        head: ResponseHead(
          status: status,
          headers: ResponseHeaders(retryAfter.map { "Retry-After: \($0)\r\n" } ?? "")
        ),
        body: Array(body.utf8)
      )
    )
  }

  @Test(arguments: 200..<300)
  func everySuccessStatusSucceeds(code: Int) throws {
    let (result, sent) = try run(Self.create, [status(code, "{}")])
    #expect(try result.get().response.head.status == code)
    #expect(sent == 1)
  }

  @Test(arguments: [
    (100, ArgyleError.Code.http), (300, .redirect), (304, .redirect), (399, .redirect),
    (400, .invalidRequest), (401, .authentication), (402, .http), (403, .permission),
    (404, .notFound), (405, .http), (408, .http), (409, .conflict), (422, .invalidRequest),
    (429, .rateLimited), (499, .http), (500, .server), (503, .server), (599, .server), (600, .http),
  ])
  func everyOtherStatusFails(code: Int, expected: ArgyleError.Code) throws {
    let error = try error(Self.get, [status(code)])
    #expect(error.code == expected)
    #expect(error.httpStatus == code)
    #expect(error.attempts == 1)
    #expect(error.message.hasPrefix("GET /v1/users/u at host:1: status \(code)"))
  }

  @Test func messageIncludesServerReason() throws {
    let detail = try error(Self.get, [status(404, #"{"detail":"Not found."}"#)])
    #expect(detail.message == "GET /v1/users/u at host:1: status 404: Not found.")
    let field = try error(Self.create, [status(400, #"{"user":["This field is required."]}"#)])
    #expect(field.message.hasSuffix("status 400: user: This field is required."))
  }

  @Test(arguments: [
    "", "<html>", "[]", "{}", #"{"a":1}"#, #"{"a":[]}"#, #"{"a":[1]}"#, #"{"detail":""}"#,
  ])
  func otherErrorBodiesGiveNoReason(body: String) throws {
    let error = try error(Self.get, [status(500, body)])
    #expect(error.message == "GET /v1/users/u at host:1: status 500")
    #expect(error.bodyBytes == Array(body.utf8))
  }

  @Test func serverReasonIsRedacted() throws {
    let detail = try error(Self.get, [status(400, #"{"detail":"no canarycanary, canar"}"#)])
    #expect(detail.message.hasSuffix("status 400: no [redacted][redacted], canar"))
    let echo = try error(Self.get, [status(400, #"{"detail":"Basic YmFzaWM=, eyJh.b-_.c; d"}"#)])
    #expect(echo.message.hasSuffix("status 400: Basic [redacted], [redacted]; d"))
  }

  @Test func shortSecretIsRedactedInServerTextOnly() throws {
    let context = CallContext(
      Request(.get, "/v1/users/1"),
      authority: "host:1",
      secrets: [Secret("1".utf8)]
    )
    let message = context.message("status 401", detail: "the key 1 is wrong")
    #expect(message == "GET /v1/users/1 at host:1: status 401: the key [redacted] is wrong")
    #expect(context.message("", detail: "by 1") == "GET /v1/users/1 at host:1: by [redacted]")
    #expect(context.message("within 1 ms") == "GET /v1/users/1 at host:1: within 1 ms")
  }

  @Test func longSecretIsRedactedEverywhere() throws {
    let context = CallContext(
      Request(.get, "/v1/users/canary-8"),
      authority: "canary-8:1",
      secrets: [Secret("canary-8".utf8)]
    )
    #expect(
      context.message("no canary-8") == "GET /v1/users/[redacted] at [redacted]:1: no [redacted]"
    )
    #expect(context.path == "/v1/users/[redacted]")
    #expect(context.host == "[redacted]:1")
  }

  @Test func serverHeadersAreRedactedAndKeptOnOneLine() throws {
    let head = ResponseHead(
      status: 200,
      headers: ResponseHeaders(
        "content-type: text/html; canary\r\nx-trace-id: canary\u{1b}[31m\r\n"
      )
    )
    var machine = CallMachine(
      CallContext(Self.get, authority: "host:1", secrets: [Secret("canary".utf8)]),
      CallLimits(),
      RetryBudget()
    )
    _ = machine.handle(.started, at: 0) { 0 }
    let answered = CallMachine.Event.answered(Response(head: head, body: []))
    guard case .finish(let result) = machine.handle(answered, at: 0, random: { 0 })
    else {
      Issue.record("the call is not finished")
      return
    }
    let answer = try result.get()
    let error = answer.protocolError("why", detail: "canary")
    #expect(error.message == "GET /v1/users/u at host:1: why: [redacted]")
    #expect(error.traceID == "[redacted] [31m")
  }

  @Test func serverReasonIsKeptOnOneLine() throws {
    let error = try error(Self.get, [status(500, #"{"detail":"a\n\u001b[31mb"}"#)])
    #expect(error.message.hasSuffix("status 500: a  [31mb"))
    let long = try self.error(
      Self.get,
      [status(500, #"{"detail":"\#(String(repeating: "x", count: 999))"}"#)]
    )
    #expect(long.message.hasSuffix("x…"))
    #expect(long.message.count < 300)
  }

  @Test func deadIdleConnectionIsRetriedOnce() throws {
    let (result, sent) = try run(Self.get, [.failed(Self.deadConnection), status(200)])
    #expect(try result.get().attempts == 2)
    #expect(sent == 2)
  }

  @Test func deadIdleConnectionIsRetriedOnlyOnce() throws {
    let events = [CallMachine.Event](repeating: .failed(Self.deadConnection), count: 2)
    let error = try error(Self.get, events)
    #expect(error.code == .connection)
    #expect(error.attempts == 2)
  }

  @Test func createIsNotRetriedOnDeadConnection() throws {
    let error = try error(Self.create, [.failed(Self.deadConnection)])
    #expect(error.code == .connection)
    #expect(error.attempts == 1)
    #expect(!error.isRetryable)
  }

  @Test(arguments: [get, create, delete])
  func refusedRequestIsRetried(request: Request) throws {
    let refusals = [CallMachine.Event](repeating: .failed(Self.refused), count: 10)
    let (result, sent) = try run(request, refusals + [status(200, "{}")])
    #expect(try result.get().attempts == 11)
    #expect(sent == 11)
  }

  @Test(arguments: [get, create, delete])
  func refusalRetriesAreLimited(request: Request) throws {
    let refusals = [CallMachine.Event](repeating: .failed(Self.refused), count: 11)
    let error = try error(request, refusals)
    #expect(error.attempts == 11)
    #expect(error.isRetryable)
    #expect(!error.outcomeIsUnknown)
  }

  @Test func refusalDoesNotCountAsDeadConnection() throws {
    let events = [CallMachine.Event.failed(Self.refused), .failed(Self.deadConnection)]
    #expect(try run(Self.get, events + [status(200, "{}")]).sent == 3)
    #expect(try error(Self.create, events).outcomeIsUnknown)
    #expect(try error(Self.delete, [.failed(Self.refused), status(404)]).code == .notFound)
  }

  @Test func retriedDeleteSucceedsIfNotFound() throws {
    let (result, _) = try run(Self.delete, [.failed(Self.deadConnection), status(404)])
    #expect(throws: Never.self) { try result.get() }
    #expect(try error(Self.delete, [status(404)]).code == .notFound)
  }

  @Test(arguments: [
    (TransferFailure.Kind.connection, true), (.timeout, true), (.tls, false),
    (.protocolViolation, false),
    (.tooLarge, false), (.internal, false),
  ])
  func transientFailuresAreRetryable(kind: TransferFailure.Kind, retryable: Bool) throws {
    let failure = TransferFailure(kind, "why", mayHaveBeenReceived: true)
    let error = try error(Self.get, [.failed(failure)])
    #expect(error.code == ArgyleError.Code(kind))
    #expect(error.isRetryable == retryable)
    #expect(error.message == "GET /v1/users/u at host:1: why")
    #expect(error.httpStatus == nil)
    #expect(error.bodyBytes == nil)
  }

  @Test func createIsRetryableOnlyIfServiceDidNotAct() throws {
    func isRetryable(_ event: CallMachine.Event) throws -> Bool {
      try error(Self.create, [event]).isRetryable
    }
    #expect(try isRetryable(.failed(TransferFailure(.connection, "", mayHaveBeenReceived: false))))
    #expect(try !isRetryable(.failed(TransferFailure(.connection, "", mayHaveBeenReceived: true))))
    #expect(try !isRetryable(.failed(TransferFailure(.timeout, "", mayHaveBeenReceived: true))))
    #expect(try isRetryable(status(429)))
    #expect(try isRetryable(status(503, retryAfter: "1")))
    for code in [408, 500, 502, 503, 504] {
      #expect(try !isRetryable(status(code)))
      #expect(try error(Self.get, [status(code)]).isRetryable)
    }
  }

  // MARK: - Pauses of the host

  /// A failure of an attempt during which the host did not drive the queue.
  private func paused(_ kind: TransferFailure.Kind, received: Bool) -> CallMachine.Event {
    .failed(TransferFailure(kind, "why", mayHaveBeenReceived: received, hostWasPaused: true))
  }

  @Test(arguments: [TransferFailure.Kind.connection, .timeout])
  func attemptThatFailedDuringPauseIsRetriedOnce(kind: TransferFailure.Kind) throws {
    #expect(try run(Self.get, [paused(kind, received: true), status(200, "{}")]).sent == 2)
    let twice = try error(Self.get, [paused(kind, received: true), paused(kind, received: true)])
    #expect(twice.attempts == 2)
    // A create is retried only if it did not reach the service.
    #expect(try run(Self.create, [paused(kind, received: false), status(201, "{}")]).sent == 2)
    #expect(try error(Self.create, [paused(kind, received: true)]).attempts == 1)
  }

  @Test func failuresUnrelatedToPauseAreNotRetried() throws {
    #expect(try error(Self.get, [paused(.tls, received: false)]).attempts == 1)
    #expect(try error(Self.get, [paused(.tooLarge, received: true)]).attempts == 1)
  }

  @Test func deleteFailsIfNotFoundAndFirstAttemptWasNotReceived() throws {
    let events = [paused(.connection, received: false), status(404)]
    let error = try error(Self.delete, events)
    #expect(error.code == .notFound)
    #expect(!error.outcomeIsUnknown)
  }

  // MARK: - Outcomes

  @Test func outcomeIsUnknownIfServiceMayHaveActed() throws {
    func isUnknown(_ request: Request, _ events: CallMachine.Event...) throws -> Bool {
      try error(request, events).outcomeIsUnknown
    }
    let lost = CallMachine.Event.failed(
      TransferFailure(.connection, "", mayHaveBeenReceived: true)
    )
    #expect(try isUnknown(Self.create, lost))
    #expect(try isUnknown(Self.delete, lost))
    #expect(try !isUnknown(Self.get, lost))
    #expect(
      try !isUnknown(Self.create, .failed(TransferFailure(.tls, "", mayHaveBeenReceived: false)))
    )
    for code in [408, 500, 502, 503, 504] { #expect(try isUnknown(Self.create, status(code))) }
    for code in [400, 401, 404, 429] { #expect(try !isUnknown(Self.create, status(code))) }
    #expect(try !isUnknown(Self.create, status(503, retryAfter: "1")))
    // A refused last attempt does not undo what an earlier one may have done.
    #expect(try isUnknown(Self.delete, .failed(Self.deadConnection), status(429)))
  }

  @Test func failedStartIsNoAttempt() throws {
    let cancelled = TransferFailure(.cancelled, "cancelled", mayHaveBeenReceived: false)
    let error = try error(Self.create, [.startFailed(cancelled)])
    #expect(error.code == .cancelled)
    #expect(error.attempts == 0)
    #expect(!error.outcomeIsUnknown)
    let later = try self.error(
      Self.delete,
      [.failed(Self.deadConnection), .startFailed(cancelled)]
    )
    #expect(later.attempts == 1)
    #expect(later.outcomeIsUnknown)
  }

  @Test(
    "An idle connection that received unsolicited input costs no attempt",
    arguments: [get, create]
  )
  func spoiledConnections(request: Request) throws {
    let spoiled = [CallMachine.Event](repeating: .failed(CallMachineTests.spoiled), count: 60)
    let answered = try run(request, spoiled + [status(200, "{}")])
    #expect(try answered.result.get().attempts == 1)
    #expect(answered.sent == 61)
    let failed = try error(
      request,
      spoiled + [.failed(CallMachineTests.deadConnection)] + spoiled + [status(500)]
    )
    #expect(failed.attempts == (request.isIdempotent ? 2 : 1))
  }

  @Test func callCancelledBeforeItStartsHasNoAttempts() throws {
    var machine = machine(Self.create, CallLimits())
    let cancelled = TransferFailure(.cancelled, "cancelled", mayHaveBeenReceived: false)
    let error = try failure(machine.handle(.cancelled(cancelled), at: 0) { 0 })
    #expect(error.code == .cancelled)
    #expect(error.attempts == 0)
    #expect(error.message == "POST /v1/users at host:1: cancelled")
  }

  // MARK: - The last attempt

  private func machine(_ request: Request, _ limits: CallLimits) -> CallMachine {
    CallMachine(CallContext(request, authority: "host:1", secrets: []), limits, RetryBudget())
  }

  /// Returns the error of a finished call.
  private func failure(_ step: CallMachine.Step) throws -> ArgyleError {
    guard case .finish(let result) = step else {
      Issue.record("the call is not finished")
      return .outOfMemory
    }
    return try #require(throws: ArgyleError.self) { try result.get() }
  }

  @Test func callThatEndsDuringBackoffReportsLastAttempt() throws {
    let limits = CallLimits(deadlineMilliseconds: 9000, maxRetries: 1)
    let cancelled = TransferFailure(.cancelled, "cancelled", mayHaveBeenReceived: false)
    // Cancelled during the backoff, or ended by the deadline after it.
    for event in [CallMachine.Event.cancelled(cancelled), .waited] {
      var machine = machine(Self.get, limits)
      _ = machine.handle(.started, at: 0) { 0 }
      _ = machine.handle(status(503, retryAfter: "5", "{}"), at: 1_000_000) { 0 }
      let error = try failure(machine.handle(event, at: 10_000_000) { 0 })
      #expect(error.attempts == 1)
      #expect(error.httpStatus == 503)
      #expect(error.retryAfterMilliseconds == 5000)
      #expect(error.bodyBytes == Array("{}".utf8))
    }
  }

  @Test func spoiledConnectionIsNoAttempt() throws {
    var machine = machine(Self.get, CallLimits(deadlineMilliseconds: 9000, maxRetries: 1))
    _ = machine.handle(.started, at: 0) { 0 }
    _ = machine.handle(status(503, "{}"), at: 0) { 0 }
    _ = machine.handle(.waited, at: 0) { 0 }
    let error = try failure(machine.handle(.failed(Self.spoiled), at: 10_000_000) { 0 })
    #expect(error.code == .timeout)
    #expect(error.attempts == 1)
    #expect(error.httpStatus == 503)
  }

  @Test func attemptWithoutResponseReportsNothingFromPreviousOne() throws {
    var machine = machine(Self.get, CallLimits(maxRetries: 1))
    let lost = TransferFailure(.connection, "lost", mayHaveBeenReceived: true)
    _ = machine.handle(.started, at: 0) { 0 }
    _ = machine.handle(status(503, "{}"), at: 0) { 0 }
    _ = machine.handle(.waited, at: 0) { 0 }
    let error = try failure(machine.handle(.failed(lost), at: 0) { 0 })
    #expect(error.attempts == 2)
    #expect(error.httpStatus == nil)
    #expect(error.bodyBytes == nil)
  }

  // MARK: - Outcomes of earlier attempts

  @Test func messageSaysIfEarlierAttemptMakesOutcomeUnknown() throws {
    let limits = CallLimits(maxRetries: 1)
    let suffix = "; an earlier attempt may have taken effect"
    let lost = CallMachine.Event.failed(
      TransferFailure(.connection, "lost", mayHaveBeenReceived: true)
    )
    let unreached = TransferFailure(.connection, "Failed to connect", mayHaveBeenReceived: false)
    let cancelled = TransferFailure(.cancelled, "cancelled", mayHaveBeenReceived: false)
    let change = Request(.patch, "/v1/users/u")

    func message(_ request: Request, _ events: CallMachine.Event...) throws -> String {
      var machine = machine(request, limits)
      var step = machine.handle(.started, at: 0) { 0 }
      for event in events { step = machine.handle(event, at: 0) { 0 } }
      let error = try failure(step)
      #expect(error.outcomeIsUnknown == (request.method != .get))
      return error.message
    }

    for first in [lost, status(500)] {
      let failed = CallMachine.Event.failed(unreached)
      #expect(try message(change, first, .waited, failed).hasSuffix("Failed to connect\(suffix)"))
      #expect(try message(change, first, .cancelled(cancelled)).hasSuffix("cancelled\(suffix)"))
      #expect(try message(change, first, .waited, status(429)).hasSuffix("status 429\(suffix)"))
      // No suffix if the last attempt makes the outcome unknown as well, or if it is known.
      #expect(try message(change, first, .waited, status(500)).hasSuffix("status 500"))
      #expect(try message(change, first, .waited, lost).hasSuffix("lost"))
      #expect(try message(Self.get, first, .waited, failed).hasSuffix("Failed to connect"))
    }
    // However long the server's text is.
    let long = status(429, #"{"detail":"\#(String(repeating: "x", count: 999))"}"#)
    #expect(try message(change, lost, .waited, long).hasSuffix("x…\(suffix)"))
  }
}
