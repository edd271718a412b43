import Support
import Transport

/// One operation ready to run, and what became of it.
///
/// It runs once: alone, or in a queue among others. It is used by one thread at a time.
package final class Call {
  /// How far the call has come.
  enum State {
    /// Nobody has asked for it yet.
    case ready
    /// It waits for its turn in a queue.
    case waiting
    /// It has its turn, and waits until another attempt is to be made.
    case delayed(until: Int64)
    /// An attempt is under way.
    case running(EasyHandle, deadline: Int64)
    /// It is over.
    case finished
  }

  let setup: CallSetup
  let runner: CallRunner
  /// The request, and what messages about it say.
  let requestContext: CallContext
  private let operation: Operation

  /// The queue that holds the call; nil before and after.
  package unowned(unsafe) var queue: CallQueue?
  /// What whoever made the call wants to find again.
  package var context: UnsafeMutableRawPointer?

  // What follows is for the queue to change.
  /// Whether nobody wants to hear of the call any more.
  var isDiscarded = false
  var state = State.ready
  var machine: CallMachine?
  /// What became of the call; nil before it is over.
  var outcome: Result<Answer, ArgyleError>?
  /// Where the call stands among those of the queue that wait, or among those that are over.
  var place = 0
  /// Where the call stands among those of the queue that have their turn; nil where it does not.
  var activeIndex: Int?
  /// The head of the answer to the last attempt, whatever its status; nil if none came.
  var head: ResponseHead?
  /// The body of that answer; nil if not all of it came.
  package internal(set) var body: [UInt8]?
  /// The attempts that were made.
  package var attempts = 0
  package var times = CallTimes()

  private init(_ client: Client, _ operation: Operation, _ request: Request) {
    setup = client.calls
    runner = client.runner
    requestContext = setup.context(for: request)
    self.operation = operation
  }

  /// Prepares a call; whatever becomes of the client, it has what it needs.
  package convenience init(_ client: Client, _ operation: Operation) throws(ArgyleError) {
    self.init(client, operation, try operation.request())
  }

  var request: Request { requestContext.request }

  /// Waits until the call is over; an error where it failed.
  package func run() throws(ArgyleError) {
    try checkReady()
    try runner.run(self)
    if let error { throw error }
  }

  /// Refuses a call that was handed over before.
  func checkReady() throws(ArgyleError) {
    guard case .ready = state else {
      throw ArgyleError(.argument, "call must not have been run or submitted before")
    }
  }
}

// MARK: - Answer to the last attempt

extension Call {
  /// The status; nil if no answer came.
  package var status: Int? { head?.status }

  /// All headers in the order of their lines, with names as they were received; nil if no answer came.
  package var headers: [(name: String, value: String)]? { head?.headers.all }

  /// The value of the first header of that name, in any case of letters.
  package func header(_ name: String) -> String? { head?.headers[name] }
}

// MARK: - Result

extension Call {
  /// Whether the call is over.
  package var isFinished: Bool {
    if case .finished = state { true } else { false }
  }

  /// Why the call failed; nil where it succeeded or is not over.
  package var error: ArgyleError? {
    if case .failure(let error) = outcome { error } else { nil }
  }

  /// What became of the call; an error where it is not over.
  var result: Result<Answer, ArgyleError> {
    outcome ?? .failure(ArgyleError(.argument, "call must be over"))
  }

  /// The answer to a call that succeeded.
  func answer() throws(ArgyleError) -> Answer {
    try result.get()
  }

  /// The answer as a jansson value, checked for what this library relies on; nil after a delete.
  package func document() throws(ArgyleError) -> JSONReference? {
    let answer = try answer()
    if case .anything = operation.endpoint.answer { return nil }
    return try answer.document(of: operation)
  }

  /// The error of an answer that cannot be read; that of the call where there is no answer.
  package func unreadable(_ reason: String) throws(ArgyleError) -> ArgyleError {
    try answer().protocolError(reason.printable)
  }
}
