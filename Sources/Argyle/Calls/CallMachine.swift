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

  /// How often a request is sent again that the server refused to look at.
  private static let mostRefusals = 10
  /// The longest wait before the first repetition, in microseconds; it doubles with each.
  private static let firstBackOff = 500_000.0
  private static let longestBackOff = 8_000_000.0

  let context: CallContext
  private let limits: CallLimits
  private let budget: RetryBudget
  /// When the time of the whole call began, in microseconds; nil: when it starts.
  private let beginning: Int64?

  /// The attempts that were made.
  private(set) var attempts = 0
  /// When the last of them began, in microseconds.
  private(set) var attemptBegan: Int64 = 0
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
    case .failed(let failure) where failure.connectionWasSpoiled:
      // Nothing was sent, and the connection is gone: there are only so many, and a new one is not looked at.
      attempts -= 1
      timeSpent += failure.milliseconds
      return send(at: now)
    case .failed(let failure):
      response = nil
      if failure.wasRefused { refusals += 1 }
      if mayBeSentAgainAtOnce(after: failure) {
        if !failure.wasRefused { hasResent = true }
        if failure.mayHaveBeenReceived { mayHaveActed = true }
        timeSpent += failure.milliseconds
        return send(at: now)
      }
      return retry(
        error(failure),
        afterTimeOut: failure.kind == .timeout,
        at: now,
        random: random
      )
    case .givenUp(let failure):
      attempts -= 1
      return .finish(.failure(errorBetweenAttempts(failure)))
    case .ended(let failure):
      return .finish(.failure(errorBetweenAttempts(failure)))
    }
  }

  private mutating func send(at now: Int64) -> Step {
    guard now < deadline else {
      let reason = timeOutReason(at: now)
      let failure = TransferFailure(.timeout, reason, mayHaveBeenReceived: false)
      return .finish(.failure(errorBetweenAttempts(failure)))
    }
    attempts += 1
    attemptBegan = now
    let time = Int64(max(limits.timeoutMilliseconds - timeSpent, 1)) * 1000
    return .send(until: min(now + time, deadline))
  }

  /// What is to be said of an attempt that has run out of time.
  func timeOutReason(at now: Int64) -> String {
    now < deadline
      ? "no answer within timeout_ms (\(limits.timeoutMilliseconds))"
      : "deadline_ms (\(limits.deadlineMilliseconds ?? 0)) has passed"
  }

  /// What is to be said of an attempt in which no byte came or went for too long.
  var stallReason: String {
    "no byte came or went within stall_timeout_ms (\(limits.stallTimeoutMilliseconds ?? 0))"
  }

  private mutating func finish(_ response: Response, at now: Int64, random: () -> Double) -> Step {
    let answer = Answer(
      context: context,
      response: response,
      mayHaveActedBefore: mayHaveActed,
      attempts: attempts
    )
    // A repeated DELETE that finds nothing has been carried out the first time.
    let isDeletedBefore =
      context.request.method == .delete && response.head.status == 404 && mayHaveActed
    if response.isSuccess || isDeletedBefore {
      budget.noteSuccess()
      return .finish(.success(answer))
    }
    return retry(answer.statusError(), afterTimeOut: false, at: now, random: random)
  }

  /// Repeats the call after a failure that may pass, where that does no harm, and is not too often nor too late.
  private mutating func retry(
    _ error: ArgyleError,
    afterTimeOut: Bool,
    at now: Int64,
    random: () -> Double
  ) -> Step {
    let over = Step.finish(.failure(error))
    guard error.isRetryable, retries < limits.maxRetries else { return over }
    let wait: Int64
    if let asked = error.retryAfterMilliseconds {
      guard asked <= limits.maxRetryAfterMilliseconds else { return over }
      wait = asked * 1000
    } else {
      let backOff = CallMachine.firstBackOff * Double(1 << min(retries, 8))
      // Anything from nothing to all of it, or else those who failed together come back together.
      wait = Int64(min(backOff, CallMachine.longestBackOff) * random())
    }
    guard now + wait < deadline, budget.pay(afterTimeOut: afterTimeOut) else { return over }
    retries += 1
    timeSpent = 0
    if error.outcomeIsUnknown { mayHaveActed = true }
    return .wait(until: now + wait)
  }

  /// Whether a failure says nothing of the server, so that another attempt is due at once, where doing the thing
  /// twice does no harm.
  ///
  /// A kept connection that the server had already closed is such a failure, and one for which the host was away:
  /// once. A server that ends a connection refuses what came too late, and may do so again and again.
  private func mayBeSentAgainAtOnce(after failure: TransferFailure) -> Bool {
    if failure.wasRefused { return refusals <= CallMachine.mostRefusals }
    guard !hasResent, failure.keptConnectionWasDead || failure.hostWasAway && failure.isTransient
    else { return false }
    return context.request.isIdempotent || !failure.mayHaveBeenReceived
  }

  /// The error of an attempt that brought no answer.
  private func error(_ failure: TransferFailure) -> ArgyleError {
    error(failure, failure.head, nil)
  }

  /// The error of a call that ends where no attempt is made: it has the answer to the last one.
  private func errorBetweenAttempts(_ failure: TransferFailure) -> ArgyleError {
    error(failure, response?.head, response?.body)
  }

  private func error(
    _ failure: TransferFailure,
    _ head: ResponseHead?,
    _ body: [UInt8]?
  ) -> ArgyleError {
    let changes = context.request.method != .get
    let earlierMayHaveActed = changes && mayHaveActed && !failure.mayHaveBeenReceived
    return ArgyleError(
      ArgyleError.Code(failure.kind),
      context.message(
        failure.reason,
        detail: failure.detail,
        earlierMayHaveActed: earlierMayHaveActed
      ),
      isRetryable: failure.isTransient
        && (context.request.isIdempotent || !failure.mayHaveBeenReceived),
      outcomeIsUnknown: changes && (failure.mayHaveBeenReceived || mayHaveActed),
      attempts: attempts,
      head: head,
      traceID: head.flatMap { context.traceID(in: $0) },
      bodyBytes: body
    )
  }
}
