import Support
import Transport

/// The course of one call as a state machine: events go in, the next step comes out.
///
/// It knows no network, no clock and no chance: whatever drives it, a blocking wait or an event loop, tells it the
/// time and a random number, so that the same decisions are taken in one place.
package struct CallMachine {
  /// What has happened.
  package enum Event {
    /// The call begins.
    case started
    /// The attempt has brought an answer.
    case answered(Response)
    /// The attempt has brought none.
    case failed(TransferFailure)
    /// The time that was to be waited for has come.
    case waited
    /// The attempt that was to be made will not be.
    case givenUp(TransferFailure)
    /// The call is ended while no attempt is under way.
    case ended(TransferFailure)
  }

  /// What to do next.
  package enum Step {
    /// Make one attempt, which ends at a time in microseconds.
    case send(until: Int64)
    /// Wait until a time in microseconds.
    case wait(until: Int64)
    /// The call is over.
    case finish(Result<Answer, ArgyleError>)
  }

  let context: CallContext
  private let limits: CallLimits
  private let policy: RetryPolicy
  private let budget: RetryBudget
  /// When the time of the whole call began, in microseconds; nil: when it starts.
  private let beginning: Int64?

  /// The attempts that were made.
  private(set) var attempts = 0
  /// When the last of them began, in microseconds.
  private(set) var attemptStart: Int64 = 0
  /// The answer to the last of them; nil if none came.
  private var response: Response?
  /// How many of them the server refused.
  private var refusals = 0
  /// Whether an attempt was made again at once, as no failure of the server's.
  private var hasResent = false
  /// How often the call was repeated after a failure that may pass.
  private var retries = 0
  /// Whether an attempt before this one may have done what was asked, though it brought no answer.
  private var mayHaveActed = false
  /// The time that attempts before this one took off the time-out, in milliseconds.
  private var timeSpent = 0
  /// When the whole call is to be over, in microseconds.
  private(set) var deadline = Int64.max

  /// Prepares a call.
  init(
    _ context: CallContext,
    _ limits: CallLimits,
    _ budget: RetryBudget,
    since beginning: Int64? = nil
  ) {
    self.context = context
    self.limits = limits
    policy = RetryPolicy(limits)
    self.budget = budget
    self.beginning = beginning
  }

  /// Takes in one event, with the time in microseconds and random numbers from 0 to 1, and tells the next step.
  package mutating func handle(_ event: Event, at now: Int64, random: () -> Double) -> Step {
    switch event {
    case .started:
      if let milliseconds = limits.deadlineMilliseconds {
        deadline = (beginning ?? now) + Int64(milliseconds) * 1000
      }
      return send(at: now)
    case .waited:
      return send(at: now)
    case .answered(let response):
      self.response = response
      return finish(response, at: now, random: random)
    case .failed(let failure) where failure.hadUnsolicitedInput:
      // Nothing was sent, and the connection is gone: there are only so many, and a new one is not looked at.
      attempts -= 1
      timeSpent += failure.milliseconds
      return send(at: now)
    case .failed(let failure):
      response = nil
      let verdict = RetryPolicy.verdict(on: failure, context.request)
      if failure.wasRefused { refusals += 1 }
      if RetryPolicy.resendsImmediately(
        after: failure,
        context.request,
        refusals: refusals,
        hasResent: hasResent
      ) {
        if !failure.wasRefused { hasResent = true }
        if verdict.mayHaveActed { mayHaveActed = true }
        timeSpent += failure.milliseconds
        return send(at: now)
      }
      let isTimeout = failure.kind == .timeout
      let asked = failure.head?.retryAfterMilliseconds
      return retry(verdict, asked, afterTimeout: isTimeout, at: now, random: random)
        ?? .finish(.failure(error(failure, failure.head, nil)))
    case .givenUp(let failure):
      attempts -= 1
      return .finish(.failure(error(failure, response?.head, response?.body)))
    case .ended(let failure):
      return .finish(.failure(error(failure, response?.head, response?.body)))
    }
  }

  private mutating func send(at now: Int64) -> Step {
    guard now < deadline else {
      let reason = timeoutReason(at: now)
      let failure = TransferFailure(.timeout, reason, mayHaveBeenReceived: false)
      return .finish(.failure(error(failure, response?.head, response?.body)))
    }
    attempts += 1
    attemptStart = now
    let time = Int64(max(limits.timeoutMilliseconds - timeSpent, 1)) * 1000
    return .send(until: min(now + time, deadline))
  }

  /// What is to be said of an attempt that has run out of time.
  func timeoutReason(at now: Int64) -> String {
    now < deadline
      ? "no answer within timeout_ms (\(limits.timeoutMilliseconds))"
      : "deadline_ms (\(limits.deadlineMilliseconds ?? 0)) has passed"
  }

  /// What is to be said of an attempt in which no byte came or went for too long.
  var stallReason: String {
    "no byte came or went within stall_timeout_ms (\(limits.stallTimeoutMilliseconds ?? 0))"
  }

  private mutating func finish(_ response: Response, at now: Int64, random: () -> Double) -> Step {
    let (request, status) = (context.request, response.head.status)
    let answer = Answer(
      context: context,
      response: response,
      mayHaveActedBefore: mayHaveActed,
      attempts: attempts
    )
    if RetryPolicy.isSuccess(status, request, mayHaveActedBefore: mayHaveActed) {
      budget.noteSuccess()
      return .finish(.success(answer))
    }
    let asked = response.head.retryAfterMilliseconds
    let verdict = RetryPolicy.verdict(on: status, hasRetryAfter: asked != nil, request)
    return retry(verdict, asked, afterTimeout: false, at: now, random: random)
      ?? .finish(.failure(answer.statusError(verdict)))
  }

  /// Retries a transient failure, where that does no harm, and is not too often nor too late; nil where it is.
  private mutating func retry(
    _ verdict: RetryPolicy.Verdict,
    _ asked: Int64?,
    afterTimeout: Bool,
    at now: Int64,
    random: () -> Double
  ) -> Step? {
    guard verdict.isRetryable,
      let wait = policy.wait(afterRetries: retries, asked: asked, random: random),
      now + wait < deadline, budget.withdraw(afterTimeout: afterTimeout)
    else { return nil }
    retries += 1
    timeSpent = 0
    if verdict.mayHaveActed { mayHaveActed = true }
    return .wait(until: now + wait)
  }

  /// The error of a call without an answer to its last attempt, or one that ends where no attempt is made.
  private func error(
    _ failure: TransferFailure,
    _ head: ResponseHead?,
    _ body: [UInt8]?
  ) -> ArgyleError {
    ArgyleError(
      ArgyleError.Code(failure.kind),
      failure.reason,
      detail: failure.detail,
      RetryPolicy.verdict(on: failure, context.request),
      mayHaveActedBefore: mayHaveActed,
      attempts: attempts,
      head: head,
      body: body,
      document: body.flatMap { try? JSONReference(parsing: $0) },
      context
    )
  }
}
