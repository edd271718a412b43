/// The course of one call as a state machine: events go in, the next step comes out.
///
/// It knows no network and no clock, so that whatever drives it, a blocking wait or an event loop, the same
/// decisions are taken in one place.
package struct CallMachine {
  /// What has happened.
  package enum Event {
    /// The call begins.
    case started
    /// The attempt has brought an answer.
    case answered(Response)
    /// The attempt has brought none.
    case failed(TransferFailure)
    /// The attempt that was to be made will not be.
    case givenUp(TransferFailure)
  }

  /// What to do next.
  package enum Step {
    /// Make one attempt, in the client's time-out less the milliseconds that are spent.
    case send(timeSpent: Int)
    /// The call is over.
    case finish(Result<Answer, ArgyleError>)
  }

  /// How often a request is sent again that the server refused to look at.
  private static let mostRefusals = 10

  let context: CallContext
  /// The attempts that were made.
  private(set) var attempts = 0
  /// How many of them the server refused.
  private var refusals = 0
  /// Whether an attempt before this one may have done what was asked, though it brought no answer.
  private var mayHaveActed = false
  /// The time that attempts before this one took, in milliseconds.
  private var timeSpent = 0

  /// Prepares a call.
  package init(_ context: CallContext) {
    self.context = context
  }

  /// Takes in one event and tells the next step.
  package mutating func handle(_ event: Event) -> Step {
    switch event {
    case .started:
      return send()
    case .answered(let response):
      return .finish(finish(response))
    case .failed(let failure):
      if failure.wasRefused { refusals += 1 }
      if mayBeSentAgain(after: failure) {
        if failure.mayHaveBeenReceived { mayHaveActed = true }
        timeSpent += failure.milliseconds
        return send()
      }
      return .finish(.failure(error(failure)))
    case .givenUp(let failure):
      attempts -= 1
      return .finish(.failure(error(failure)))
    }
  }

  /// Whether a failure says nothing of the server, so that another attempt is due, where doing the thing twice
  /// does no harm.
  ///
  /// A kept connection that the server had already closed is such a failure, and one for which the host was away:
  /// once. A server that ends a connection refuses what came too late, and may do so again and again.
  private func mayBeSentAgain(after failure: TransferFailure) -> Bool {
    if failure.wasRefused { return refusals <= CallMachine.mostRefusals }
    guard attempts - refusals == 1 else { return false }
    guard failure.keptConnectionWasDead || failure.hostWasAway && failure.isTransient else {
      return false
    }
    return context.request.isIdempotent || !failure.mayHaveBeenReceived
  }

  private mutating func send() -> Step {
    attempts += 1
    return .send(timeSpent: timeSpent)
  }

  private func finish(_ response: Response) -> Result<Answer, ArgyleError> {
    let answer = Answer(
      context: context,
      response: response,
      attempts: attempts,
      mayHaveActedBefore: mayHaveActed
    )
    // A repeated DELETE that finds nothing has been carried out the first time.
    let isDeletedBefore =
      context.request.method == .delete && response.head.status == 404 && mayHaveActed
    return response.isSuccess || isDeletedBefore ? .success(answer) : .failure(answer.statusError())
  }

  private func error(_ failure: TransferFailure) -> ArgyleError {
    ArgyleError(
      failure.code,
      context.message(failure.reason),
      isRetryable: failure.isTransient
        && (context.request.isIdempotent || !failure.mayHaveBeenReceived),
      outcomeIsUnknown: context.request.method != .get
        && (failure.mayHaveBeenReceived || mayHaveActed),
      attempts: attempts,
      head: failure.head,
      traceID: failure.head.flatMap { context.traceID(in: $0) }
    )
  }
}
