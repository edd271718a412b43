import Support

/// The connections of a client and those derived from it, each used by one blocking call at a time.
///
/// A connection is acquired as its queue, which has one call in flight. The last one released is acquired first, so
/// that few are kept open. libcurl's own connection sharing does not support use by several threads at once.
final class ConnectionPool: Sendable {
  /// Maximum number of idle connections.
  private static let maxIdle = 32

  private let lock = Lock()
  private let idle = IdleQueues()
  private let mark = ProcessMark()

  #if !hasFeature(Embedded)
    /// Runs the calls of Swift concurrency.
    let asyncCalls: AsyncCalls

    init() {
      asyncCalls = AsyncCalls(mark)
    }
  #endif

  /// Whether this is the process that created the pool, not a fork of it.
  var isOfThisProcess: Bool { mark.isOfThisProcess }

  /// Returns an idle queue, or a new one.
  func acquire() throws(ArgyleError) -> CallQueue {
    while let queue = lock.withLock({ idle.list.popLast() }) {
      // A program may close all descriptors that it does not know, as daemons do at their start.
      if queue.hasDescriptor() { return queue }
    }
    return try CallQueue.make(maxInFlight: 1, deadlineIncludesQueueing: true, mark)
  }

  /// Returns a queue without calls to the pool.
  func release(_ queue: CallQueue) {
    guard isOfThisProcess, !queue.isBroken else { return }
    lock.withLock {
      if idle.list.count < ConnectionPool.maxIdle { idle.list.append(queue) }
    }
  }

  deinit {
    // Another thread of the parent may have been changing the list at the fork, so a child leaks it.
    if !isOfThisProcess { _ = Unmanaged.passRetained(idle) }
  }
}

/// Idle queues, in an object of their own so that a forked child can leak them as a whole.
private final class IdleQueues: @unchecked Sendable {
  // Unchecked: accessed only under the pool's lock.
  var list: [CallQueue] = []
}
