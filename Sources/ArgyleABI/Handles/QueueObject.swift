import Argyle
import CJansson
import Support

/// What an `argyle_queue` points to, with the handles of the calls that were submitted and not taken.
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

  /// Uses the queue, unless another thread does.
  func use<Result>(
    _ body: (CallQueue) throws(ArgyleError) -> Result
  ) throws(ArgyleError) -> Result {
    // First, for in a forked child the lock may be held by a thread that is not there.
    try queue.checkProcess()
    let result = try lock.withLockIfAvailable { () throws(ArgyleError) in try body(queue) }
    // The host may have forked in a callback.
    try queue.checkProcess()
    guard let result else {
      throw ArgyleError(.argument, "queue must be used by one thread at a time")
    }
    return result
  }

  /// Looks for a call that this queue holds.
  func hold(_ call: Call) throws(ArgyleError) {
    guard call.queue === queue else {
      throw ArgyleError(.argument, "call must be one that the queue holds")
    }
  }
}
