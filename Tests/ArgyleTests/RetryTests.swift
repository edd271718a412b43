import Testing
import Transport

@testable import Argyle

/// When a call is repeated, and how long it waits before: on a clock and with chances of the test's own.
struct RetryTests {
  private static let get = Request(.get, "/v1/users/u")
  private static let create = Request(.post, "/v1/users")
  private static let delete = Request(.delete, "/v1/users/u")

  /// A call on a clock that goes on by itself only where the call waits.
  private struct Course {
    var machine: CallMachine
    var now: Int64 = 0
    var random = 1.0
    private(set) var waits: [Int64] = []

    init(_ request: Request, _ limits: CallLimits, _ budget: RetryBudget = RetryBudget()) {
      let context = CallContext(request, authority: "host:1", secrets: [])
      machine = CallMachine(context, limits, budget)
      _ = machine.handle(.started, at: 0) { 1 }
    }

    /// Takes in an event; nil where another attempt is made after all waits, which are noted in milliseconds.
    mutating func take(_ event: CallMachine.Event) -> Result<Answer, ArgyleError>? {
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

    /// Takes in an event that ends the call with an error.
    mutating func fail(_ event: CallMachine.Event) throws -> ArgyleError {
      let result = try #require(take(event))
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

  @Test func waitsDoubleUpToEightSeconds() throws {
    var course = Course(Self.get, CallLimits(maxRetries: 7))
    for _ in 0..<7 { #expect(course.take(status(500)) == nil) }
    #expect(course.waits == [500, 1000, 2000, 4000, 8000, 8000, 8000])
    #expect(try course.fail(status(500)).attempts == 8)
  }

  @Test func aWaitIsAnythingUpToThat() {
    for (random, expected) in [(0.0, Int64(0)), (0.25, 125), (0.5, 250)] {
      var course = Course(Self.get, CallLimits(maxRetries: 1))
      course.random = random
      #expect(course.take(status(500)) == nil)
      #expect(course.waits == [expected])
    }
  }

  @Test(arguments: [
    (400, false), (408, true), (429, false), (500, true), (501, false), (502, true), (503, true),
    (504, true), (505, false), (507, true), (520, true), (524, true), (599, true),
  ])
  func afterTheseTheOutcomeIsUnknown(code: Int, isUnknown: Bool) throws {
    var course = Course(Self.create, CallLimits(maxRetries: 0))
    #expect(try course.fail(status(code)).outcomeIsUnknown == isUnknown)
  }

  @Test func aDeadlineMayHaveBegunBeforeTheCall() throws {
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
  func whatMayPassIsRepeatedWhereItDoesNoHarm(code: Int) throws {
    var get = Course(Self.get, CallLimits())
    #expect(get.take(status(code)) == nil)
    #expect(get.take(status(code)) == nil)
    #expect(try get.fail(status(code)).attempts == 3)
    var create = Course(Self.create, CallLimits())
    #expect((create.take(status(code)) == nil) == (code == 429))
  }

  @Test(arguments: [300, 400, 401, 403, 404, 409, 422, 501, 505])
  func whatDoesNotPassIsNotRepeated(code: Int) throws {
    var course = Course(Self.get, CallLimits())
    #expect(try course.fail(status(code)).attempts == 1)
  }

  @Test func aCreateIsRepeatedOnlyWhereTheServiceCannotHaveActed() throws {
    func isRepeated(_ event: CallMachine.Event) -> Bool {
      var course = Course(Self.create, CallLimits())
      return course.take(event) == nil
    }
    #expect(isRepeated(failure(.connection, received: false)))
    #expect(isRepeated(failure(.timeout, received: false)))
    #expect(isRepeated(status(429)))
    #expect(isRepeated(status(503, retryAfter: "1")))
    #expect(!isRepeated(failure(.connection, received: true)))
    #expect(!isRepeated(failure(.timeout, received: true)))
    #expect(!isRepeated(status(503)))
    #expect(!isRepeated(failure(.tls, received: false)))
  }

  @Test func theServicesOwnWaitIsKept() throws {
    var course = Course(Self.get, CallLimits(maxRetries: 3))
    course.random = 0
    #expect(course.take(status(429, retryAfter: "3")) == nil)
    #expect(course.take(status(503, retryAfter: "0")) == nil)
    #expect(course.take(status(503, retryAfter: "-5")) == nil)
    #expect(course.waits == [3000, 0, 0])
  }

  @Test func aWaitThatIsTooLongIsToldInstead() throws {
    let limits = CallLimits(maxRetryAfterMilliseconds: 60_000)
    var within = Course(Self.get, limits)
    #expect(within.take(status(429, retryAfter: "60")) == nil)
    var beyond = Course(Self.get, limits)
    let error = try beyond.fail(status(429, retryAfter: "61"))
    #expect(error.retryAfterMilliseconds == 61_000)
    #expect(error.attempts == 1)
    #expect(error.isRetryable)
  }

  @Test func aRepeatedDeleteThatFindsNothingHasSucceededWhereItMayHaveActed() throws {
    var lost = Course(Self.delete, CallLimits())
    #expect(lost.take(failure(.connection, received: true)) == nil)
    #expect(throws: Never.self) { try lost.take(status(404))?.get() }
    var failed = Course(Self.delete, CallLimits())
    #expect(failed.take(status(502)) == nil)
    #expect(throws: Never.self) { try failed.take(status(404))?.get() }
    // The service said that it did not act.
    var throttled = Course(Self.delete, CallLimits())
    #expect(throttled.take(status(429)) == nil)
    #expect(try throttled.fail(status(404)).code == .notFound)
  }

  @Test func theDeadlineEndsAttemptsAndWaits() throws {
    let limits = CallLimits(
      timeoutMilliseconds: 1000,
      deadlineMilliseconds: 2500,
      maxRetries: 10
    )
    var course = Course(Self.get, limits)
    course.now = 1_000_000
    #expect(course.take(failure(.timeout, received: true)) == nil)
    #expect(course.waits == [500])
    // What is left is less than an attempt's own time.
    course.now = 2_000_000
    course.random = 0.1
    guard
      case .wait(let time) = course.machine.handle(status(500), at: course.now, random: { 0.1 }),
      case .send(let end) = course.machine.handle(.waited, at: time, random: { 0 })
    else {
      Issue.record("the call is over before its deadline")
      return
    }
    #expect(end == 2_500_000)
    #expect(course.machine.timeoutReason(at: 2_499_999) == "no answer within timeout_ms (1000)")
    #expect(course.machine.timeoutReason(at: 2_500_000) == "deadline_ms (2500) has passed")
    course.now = 2_500_000
    #expect(try course.fail(failure(.timeout, received: true)).attempts == 3)
  }

  @Test func aWaitBeyondTheDeadlineIsNotBegun() throws {
    var course = Course(Self.get, CallLimits(deadlineMilliseconds: 2500))
    course.now = 2_000_000
    #expect(try course.fail(status(500)).httpStatus == 500)
    #expect(course.waits == [])
  }

  @Test func aCallThatIsLateForItsTurnSendsNothing() throws {
    var course = Course(Self.get, CallLimits(deadlineMilliseconds: 100))
    course.now = 100_000
    let error = try course.fail(.waited)
    #expect(error.code == .timeout)
    #expect(error.message == "GET /v1/users/u at host:1: deadline_ms (100) has passed")
  }

  @Test func anOutageUsesTheBudgetUp() throws {
    let budget = RetryBudget()
    var repeated = 0
    for _ in 0..<1000 {
      var course = Course(Self.get, CallLimits(maxRetries: 1), budget)
      if course.take(status(500)) == nil { repeated += 1 }
    }
    #expect(repeated == 100)
    // Successes bring it back, one repetition for five of them.
    for _ in 0..<50 {
      var course = Course(Self.get, CallLimits(maxRetries: 1), budget)
      #expect(throws: Never.self) { try course.take(status(200))?.get() }
    }
    repeated = 0
    for _ in 0..<100 {
      var course = Course(Self.get, CallLimits(maxRetries: 1), budget)
      if course.take(status(500)) == nil { repeated += 1 }
    }
    #expect(repeated == 10)
  }

  @Test func timeOutsCostTwice() {
    let budget = RetryBudget()
    var repeated = 0
    for _ in 0..<1000 {
      var course = Course(Self.get, CallLimits(maxRetries: 1), budget)
      if course.take(failure(.timeout, received: true)) == nil { repeated += 1 }
    }
    #expect(repeated == 50)
  }
}
