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
  }

  /// What to do next.
  package enum Step {
    /// Make one attempt.
    case send
    /// The call is over.
    case finish(Result<Answer, ArgyleError>)
  }

  private let request: Request
  private let authority: String
  private let secret: String
  private var attempts = 0
  private var resentAfterDeadConnection = false

  /// Prepares a call; the authority, host and port that are asked, is for errors, which never show the secret.
  package init(_ request: Request, authority: String, secret: String) {
    self.request = request
    self.authority = authority
    self.secret = secret
  }

  /// Takes in one event and tells the next step.
  package mutating func handle(_ event: Event) -> Step {
    switch event {
    case .started:
      return send()
    case .answered(let response):
      return .finish(finish(response))
    case .failed(let failure):
      // A kept connection that the server had already closed says nothing of the server: one more attempt
      // on a new connection, where doing the thing twice does no harm.
      if failure.keptConnectionWasDead, request.isIdempotent, !resentAfterDeadConnection {
        resentAfterDeadConnection = true
        return send()
      }
      return .finish(.failure(error(failure)))
    }
  }

  private mutating func send() -> Step {
    attempts += 1
    return .send
  }

  private func finish(_ response: Response) -> Result<Answer, ArgyleError> {
    let answer = Answer(
      request: request,
      authority: authority,
      secret: secret,
      response: response,
      attempts: attempts
    )
    // A repeated DELETE that finds nothing has been carried out the first time.
    let isDeletedBefore = request.method == .delete && response.head.status == 404 && attempts > 1
    return response.isSuccess || isDeletedBefore ? .success(answer) : .failure(answer.statusError())
  }

  private func error(_ failure: TransferFailure) -> ArgyleError {
    let isTransient = failure.code == .connection || failure.code == .timeout
    return ArgyleError(
      failure.code,
      "\(request.method.name) \(request.path) at \(authority): \(failure.reason.printable)",
      isRetryable: isTransient && (request.isIdempotent || !failure.mayHaveBeenReceived),
      attempts: attempts,
      head: failure.head
    )
  }
}
