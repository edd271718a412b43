import Testing
import Transport

@testable import Argyle

/// When calls are retried and how long they back off, with a simulated clock and random numbers.
struct RetryTests {
  private static let get = Request(.get, "/v1/users/u")
  private static let create = Request(.post, "/v1/users")
  private static let delete = Request(.delete, "/v1/users/u")

  /// A call with a simulated clock that advances only during backoff.
  private struct SimulatedCall {
    var machine: CallMachine
    var now: Int64 = 0
    var random = 1.0
    private(set) var waits: [Int64] = []

    init(_ request: Request, _ limits: CallLimits, _ budget: RetryBudget = RetryBudget()) {
      let context = CallContext(request, authority: "host:1", secrets: [])
      machine = CallMachine(context, limits, budget)
      _ = machine.handle(.started, at: 0) { 1 }
    }

    /// Handles an event; returns nil if another attempt is made.
    ///
    /// `waits` records the backoff before it in milliseconds.
    mutating func handle(_ event: CallMachine.Event) -> Result<Answer, ArgyleError>? {
      let random = random
      var step = machine.handle(event, at: now) { random }
      while case .wait(let time) = step {
        waits.append((time - now) / 1000)
        now = time
        step = machine.handle(.waited, at: now) { random }
      }
      if case .finish(let result) = step { return result }
      return nil
    }

    /// Handles an event that ends the call with an error.
    mutating func fail(_ event: CallMachine.Event) throws -> ArgyleError {
      let result = try #require(handle(event))
      return try #require(throws: ArgyleError.self) { try result.get() }
    }
  }

  private func status(_ status: Int, retryAfter: String? = nil) -> CallMachine.Event {
    let headers = ResponseHeaders(retryAfter.map { "Retry-After: \($0)\r\n" } ?? "")
    return .answered(Response(head: ResponseHead(status: status, headers: headers), body: []))
  }

  private func failure(_ kind: TransferFailure.Kind, received: Bool) -> CallMachine.Event {
    .failed(TransferFailure(kind, "why", mayHaveBeenReceived: received))
  }

  @Test func backoffDoublesUpToEightSeconds() throws {
    var call = SimulatedCall(Self.get, CallLimits(maxRetries: 7))
    for _ in 0..<7 { #expect(call.handle(status(500)) == nil) }
    #expect(call.waits == [500, 1000, 2000, 4000, 8000, 8000, 8000])
    #expect(try call.fail(status(500)).attempts == 8)
  }

  @Test func backoffIsRandomUpToMaximum() {
    for (random, expected) in [(0.0, Int64(0)), (0.25, 125), (0.5, 250)] {
      var call = SimulatedCall(Self.get, CallLimits(maxRetries: 1))
      call.random = random
      #expect(call.handle(status(500)) == nil)
      #expect(call.waits == [expected])
    }
  }

  @Test(arguments: [
    (400, false), (408, true), (429, false), (500, true), (501, false), (502, true), (503, true),
    (504, true), (505, false), (507, true), (520, true), (524, true), (599, true),
  ])
  func outcomeIsUnknownAfterTheseStatuses(code: Int, isUnknown: Bool) throws {
    var call = SimulatedCall(Self.create, CallLimits(maxRetries: 0))
    #expect(try call.fail(status(code)).outcomeIsUnknown == isUnknown)
  }

  @Test func deadlineMayStartBeforeCall() throws {
    let context = CallContext(Self.get, authority: "host:1", secrets: [])
    let limits = CallLimits(deadlineMilliseconds: 100)
    var machine = CallMachine(context, limits, RetryBudget(), since: 1_000_000)
    guard case .send(until: 1_100_000) = machine.handle(.started, at: 1_050_000, random: { 1 })
    else {
      Issue.record("the attempt does not end with the deadline")
      return
    }
    machine = CallMachine(context, limits, RetryBudget(), since: 1_000_000)
    guard case .finish(.failure(let error)) = machine.handle(.started, at: 1_200_000, random: { 1 })
    else {
      Issue.record("an attempt is made after the deadline")
      return
    }
    #expect(error.code == .timeout)
    #expect(error.attempts == 0)
  }

  @Test(arguments: [408, 429, 500, 502, 503, 504])
  func transientStatusIsRetriedIfSafe(code: Int) throws {
    var get = SimulatedCall(Self.get, CallLimits())
    #expect(get.handle(status(code)) == nil)
    #expect(get.handle(status(code)) == nil)
    #expect(try get.fail(status(code)).attempts == 3)
    var create = SimulatedCall(Self.create, CallLimits())
    #expect((create.handle(status(code)) == nil) == (code == 429))
  }

  @Test(arguments: [300, 400, 401, 403, 404, 409, 422, 501, 505])
  func permanentStatusIsNotRetried(code: Int) throws {
    var call = SimulatedCall(Self.get, CallLimits())
    #expect(try call.fail(status(code)).attempts == 1)
  }

  @Test func createIsRetriedOnlyIfServiceCannotHaveActed() throws {
    func isRetried(_ event: CallMachine.Event) -> Bool {
      var call = SimulatedCall(Self.create, CallLimits())
      return call.handle(event) == nil
    }
    #expect(isRetried(failure(.connection, received: false)))
    #expect(isRetried(failure(.timeout, received: false)))
    #expect(isRetried(status(429)))
    #expect(isRetried(status(503, retryAfter: "1")))
    #expect(!isRetried(failure(.connection, received: true)))
    #expect(!isRetried(failure(.timeout, received: true)))
    #expect(!isRetried(status(503)))
    #expect(!isRetried(failure(.tls, received: false)))
  }

  @Test func retryAfterIsHonoured() throws {
    var call = SimulatedCall(Self.get, CallLimits(maxRetries: 3))
    call.random = 0
    #expect(call.handle(status(429, retryAfter: "3")) == nil)
    #expect(call.handle(status(503, retryAfter: "0")) == nil)
    #expect(call.handle(status(503, retryAfter: "-5")) == nil)
    #expect(call.waits == [3000, 0, 0])
  }

  @Test func tooLongRetryAfterFails() throws {
    let limits = CallLimits(maxRetryAfterMilliseconds: 60_000)
    var within = SimulatedCall(Self.get, limits)
    #expect(within.handle(status(429, retryAfter: "60")) == nil)
    var beyond = SimulatedCall(Self.get, limits)
    let error = try beyond.fail(status(429, retryAfter: "61"))
    #expect(error.retryAfterMilliseconds == 61_000)
    #expect(error.attempts == 1)
    #expect(error.isRetryable)
  }

  @Test func retriedDeleteSucceedsIfNotFoundAndItMayHaveActed() throws {
    var lost = SimulatedCall(Self.delete, CallLimits())
    #expect(lost.handle(failure(.connection, received: true)) == nil)
    #expect(throws: Never.self) { try lost.handle(status(404))?.get() }
    var failed = SimulatedCall(Self.delete, CallLimits())
    #expect(failed.handle(status(502)) == nil)
    #expect(throws: Never.self) { try failed.handle(status(404))?.get() }
    // The status says that the service did not act.
    var throttled = SimulatedCall(Self.delete, CallLimits())
    #expect(throttled.handle(status(429)) == nil)
    #expect(try throttled.fail(status(404)).code == .notFound)
  }

  @Test func deadlineEndsAttemptsAndBackoff() throws {
    let limits = CallLimits(
      timeoutMilliseconds: 1000,
      deadlineMilliseconds: 2500,
      maxRetries: 10
    )
    var call = SimulatedCall(Self.get, limits)
    call.now = 1_000_000
    #expect(call.handle(failure(.timeout, received: true)) == nil)
    #expect(call.waits == [500])
    // The deadline is closer than an attempt's timeout.
    call.now = 2_000_000
    call.random = 0.1
    guard
      case .wait(let time) = call.machine.handle(status(500), at: call.now, random: { 0.1 }),
      case .send(let end) = call.machine.handle(.waited, at: time, random: { 0 })
    else {
      Issue.record("the call finished before its deadline")
      return
    }
    #expect(end == 2_500_000)
    #expect(call.machine.timeoutReason(at: 2_499_999) == "no response within timeout_ms (1000)")
    #expect(call.machine.timeoutReason(at: 2_500_000) == "deadline_ms (2500) has passed")
    call.now = 2_500_000
    #expect(try call.fail(failure(.timeout, received: true)).attempts == 3)
  }

  @Test func backoffBeyondDeadlineIsNotStarted() throws {
    var call = SimulatedCall(Self.get, CallLimits(deadlineMilliseconds: 2500))
    call.now = 2_000_000
    #expect(try call.fail(status(500)).httpStatus == 500)
    #expect(call.waits == [])
  }

  @Test func callPastDeadlineSendsNothing() throws {
    var call = SimulatedCall(Self.get, CallLimits(deadlineMilliseconds: 100))
    call.now = 100_000
    let error = try call.fail(.waited)
    #expect(error.code == .timeout)
    #expect(error.message == "GET /v1/users/u at host:1: deadline_ms (100) has passed")
  }

  @Test func outageExhaustsBudget() throws {
    let budget = RetryBudget()
    var retried = 0
    for _ in 0..<1000 {
      var call = SimulatedCall(Self.get, CallLimits(maxRetries: 1), budget)
      if call.handle(status(500)) == nil { retried += 1 }
    }
    #expect(retried == 100)
    // Five successes restore the budget for one retry.
    for _ in 0..<50 {
      var call = SimulatedCall(Self.get, CallLimits(maxRetries: 1), budget)
      #expect(throws: Never.self) { try call.handle(status(200))?.get() }
    }
    retried = 0
    for _ in 0..<100 {
      var call = SimulatedCall(Self.get, CallLimits(maxRetries: 1), budget)
      if call.handle(status(500)) == nil { retried += 1 }
    }
    #expect(retried == 10)
  }

  @Test func timeoutsCostDouble() {
    let budget = RetryBudget()
    var retried = 0
    for _ in 0..<1000 {
      var call = SimulatedCall(Self.get, CallLimits(maxRetries: 1), budget)
      if call.handle(failure(.timeout, received: true)) == nil { retried += 1 }
    }
    #expect(retried == 50)
  }
}
