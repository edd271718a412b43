import Support
import Transport

/// One operation and its outcome.
///
/// A call runs once, alone or in a queue. Only one thread at a time may use it.
package final class Call {
  enum State {
    /// Not run or submitted yet.
    case ready
    /// Pending in a queue.
    case waiting
    /// Waiting for the next attempt.
    case delayed(until: Int64)
    /// An attempt is in flight.
    case running(EasyHandle, deadline: Int64)
    case finished
  }

  let setup: CallSetup
  let runner: CallRunner
  /// The request and the context for its messages.
  let requestContext: CallContext
  private let operation: Operation

  /// The queue that holds the call; nil before and after.
  package unowned(unsafe) var queue: CallQueue?
  /// The caller's context.
  package var context: UnsafeMutableRawPointer?

  // Changed only by the queue:
  /// Whether the caller discarded the call.
  var isDiscarded = false
  var state = State.ready
  var machine: CallMachine?
  /// The outcome; nil until the call is finished.
  var outcome: Result<Answer, ArgyleError>?
  /// The call's number in the queue's FIFO of pending or finished calls.
  var fifoNumber = 0
  /// The call's index among the queue's active calls; nil if it is not active.
  var activeIndex: Int?
  /// The response head of the last attempt, whatever its status; nil without a response.
  var head: ResponseHead?
  /// The body of that response; nil if it is incomplete.
  package internal(set) var body: [UInt8]?
  /// Number of attempts.
  package var attempts = 0
  package var times = CallTimes()

  private init(_ client: Client, _ operation: Operation, _ request: Request) {
    setup = client.calls
    runner = client.runner
    requestContext = setup.context(for: request)
    self.operation = operation
  }

  /// Creates a call, which does not depend on the client's lifetime.
  package convenience init(_ client: Client, _ operation: Operation) throws(ArgyleError) {
    self.init(client, operation, try operation.request(client.apiVersion))
  }

  var request: Request { requestContext.request }

  package var kind: Operation.Kind { operation.kind }

  /// The operation's user; nil if it has none.
  package var userID: UserID? { operation.userID }

  /// Blocks until the call is finished; throws if it failed.
  package func run() throws(ArgyleError) {
    try checkReady()
    try runner.run(self)
    if let error { throw error }
  }

  /// Throws if the call was already run or submitted.
  func checkReady() throws(ArgyleError) {
    guard case .ready = state else {
      throw ArgyleError(.argument, "call must not have been run or submitted before")
    }
  }
}

// MARK: - Last response

extension Call {
  /// The status; nil without a response.
  package var status: Int? { head?.status }

  /// All headers in the order received, with names as received; nil without a response.
  package var headers: [(name: String, value: String)]? { head?.headers.all }

  /// Value of the first header with this name, case-insensitive; nil if absent.
  package func header(_ name: String) -> String? { head?.headers[name] }
}

// MARK: - Result

extension Call {
  package var isFinished: Bool {
    if case .finished = state { true } else { false }
  }

  /// The call's error; nil if it succeeded or is not finished.
  package var error: ArgyleError? {
    if case .failure(let error) = outcome { error } else { nil }
  }

  /// The outcome, or an error if the call is not finished.
  var result: Result<Answer, ArgyleError> {
    outcome ?? .failure(ArgyleError(.argument, "call must be finished"))
  }

  /// Returns the response of a successful call.
  func answer() throws(ArgyleError) -> Answer {
    try result.get()
  }

  /// Returns the checked response as a jansson value; nil after a delete.
  package func document() throws(ArgyleError) -> JSONReference? {
    let answer = try answer()
    if case .anything = Endpoint(kind, requestContext.version).answer { return nil }
    return try answer.document(of: operation)
  }

  /// Returns the error of an unreadable response; throws the call's error if there is no response.
  package func unreadable(_ reason: String) throws(ArgyleError) -> ArgyleError {
    try answer().protocolError(reason.printable)
  }
}
