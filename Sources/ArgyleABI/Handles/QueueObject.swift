import Argyle
import CJansson
import Support

/// The object behind an `argyle_queue`; owns the handles of calls that were submitted and not taken.
final class QueueObject {
  private let queue: CallQueue
  private let lock = Lock()

  init(_ queue: CallQueue) {
    self.queue = queue
  }

  deinit {
    for call in queue.calls {
      call.queue = nil
      Handle.free(call.context.map { OpaquePointer($0) }, as: CallObject.self)
    }
  }

  /// Runs `body` with the queue; throws if another thread is using it.
  func use<Result>(
    _ body: (CallQueue) throws(ArgyleError) -> Result
  ) throws(ArgyleError) -> Result {
    // First: in a forked child the lock may be held by a thread that does not exist.
    try queue.checkProcess()
    let result = try lock.withLockIfAvailable { () throws(ArgyleError) in try body(queue) }
    // The host may have forked in a callback.
    try queue.checkProcess()
    guard let result else {
      throw ArgyleError(.argument, "queue must be used by one thread at a time")
    }
    return result
  }

  /// Throws unless this queue holds the call.
  func checkHolds(_ call: Call) throws(ArgyleError) {
    guard call.queue === queue else {
      throw ArgyleError(.argument, "call must be in the queue")
    }
  }
}
