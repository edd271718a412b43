import Support

/// The connections of a client and of those made like it, each lent to one blocking call at a time.
///
/// A connection is lent as the queue that it belongs to, of one call in flight. The one that came back last is
/// lent first, so that few are kept warm. libcurl's own way of sharing connections does not support use by several
/// threads at once.
final class ConnectionPool: Sendable {
  /// How many connections are kept while nobody uses them.
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

  /// Whether this is the process that made the pool, and not a fork of it.
  var isOfThisProcess: Bool { mark.isOfThisProcess }

  /// Lends a queue.
  func acquire() throws(ArgyleError) -> CallQueue {
    while let queue = lock.withLock({ idle.list.popLast() }) {
      // A program may close all descriptors that it does not know, as those that become daemons do.
      if queue.hasDescriptor() { return queue }
    }
    return try CallQueue.make(maxInFlight: 1, deadlineIncludesQueueing: true, mark)
  }

  /// Takes back a queue that holds no calls.
  func release(_ queue: CallQueue) {
    guard isOfThisProcess, !queue.isBroken else { return }
    lock.withLock {
      if idle.list.count < ConnectionPool.maxIdle { idle.list.append(queue) }
    }
  }

  deinit {
    // Another thread of the parent may have been changing the list when it forked: a child leaves it alone.
    if !isOfThisProcess { _ = Unmanaged.passRetained(idle) }
  }
}

/// The queues that nobody uses, a list apart so that it can be left alone as a whole.
private final class IdleQueues: @unchecked Sendable {
  // Unchecked: touched under the pool's lock only.
  var list: [CallQueue] = []
}
