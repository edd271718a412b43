import Support
import Transport

/// One call as a state machine: events go in, the next step comes out.
///
/// It uses no network, clock or random source: its driver, a blocking wait or an event loop, passes in time and random
/// numbers, so that all decisions are made in one place.
package struct CallMachine {
  package enum Event {
    /// The call starts.
    case started
    /// The attempt received a response.
    case answered(Response)
    /// The attempt failed.
    case failed(TransferFailure)
    /// The wait is over.
    case waited
    /// The next attempt could not be started.
    case startFailed(TransferFailure)
    /// The call was cancelled between attempts.
    case cancelled(TransferFailure)
  }

  package enum Step {
    /// Make an attempt, with a deadline in microseconds.
    case send(until: Int64)
    /// Wait until a time in microseconds.
    case wait(until: Int64)
    case finish(Result<Answer, ArgyleError>)
  }

  let context: CallContext
  private let limits: CallLimits
  private let policy: RetryPolicy
  private let budget: RetryBudget
  /// When the whole call began, in microseconds; nil if it begins with `started`.
  private let callStart: Int64?

  /// Number of attempts.
  private(set) var attempts = 0
  /// When the last attempt started, in microseconds.
  private(set) var attemptStart: Int64 = 0
  /// The last attempt's response; nil if there was none.
  private var response: Response?
  /// Number of attempts that the server refused.
  private var refusals = 0
  /// Whether a request was already resent immediately for a failure that is not the server's.
  private var hasResent = false
  /// Number of retries after transient failures.
  private var retries = 0
  /// Whether an earlier attempt without a response may have been carried out.
  private var mayHaveActed = false
  /// Part of `timeout_ms` used by attempts that were resent immediately, in milliseconds.
  private var timeSpent = 0
  /// Deadline of the whole call, in microseconds.
  private(set) var deadline = Int64.max

  init(
    _ context: CallContext,
    _ limits: CallLimits,
    _ budget: RetryBudget,
    since callStart: Int64? = nil
  ) {
    self.context = context
    self.limits = limits
    policy = RetryPolicy(limits)
    self.budget = budget
    self.callStart = callStart
  }

  /// Returns the next step after an event; `now` in microseconds, random numbers from 0 to 1.
  package mutating func handle(_ event: Event, at now: Int64, random: () -> Double) -> Step {
    switch event {
    case .started:
      if let milliseconds = limits.deadlineMilliseconds {
        deadline = (callStart ?? now) + Int64(milliseconds) * 1000
      }
      return send(at: now)
    case .waited:
      return send(at: now)
    case .answered(let response):
      self.response = response
      return finish(response, at: now, random: random)
    case .failed(let failure) where failure.hadUnsolicitedInput:
      // Nothing was sent, and the connection is closed. This ends, because idle connections are limited in number and
      // new ones are not checked for unsolicited input.
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
    case .startFailed(let failure):
      attempts -= 1
      return .finish(.failure(error(failure, response?.head, response?.body)))
    case .cancelled(let failure):
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

  /// The message for an attempt that timed out.
  func timeoutReason(at now: Int64) -> String {
    now < deadline
      ? "no response within timeout_ms (\(limits.timeoutMilliseconds))"
      : "deadline_ms (\(limits.deadlineMilliseconds ?? 0)) has passed"
  }

  /// The message for a stalled attempt.
  var stallReason: String {
    "no byte sent or received within stall_timeout_ms (\(limits.stallTimeoutMilliseconds ?? 0))"
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
      budget.deposit()
      return .finish(.success(answer))
    }
    let asked = response.head.retryAfterMilliseconds
    let verdict = RetryPolicy.verdict(on: status, hasRetryAfter: asked != nil, request)
    return retry(verdict, asked, afterTimeout: false, at: now, random: random)
      ?? .finish(.failure(answer.statusError(verdict)))
  }

  /// Schedules a retry if that is safe, within budget and in time; nil otherwise.
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

  /// Returns the error of a call that failed without a response, or between attempts.
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
