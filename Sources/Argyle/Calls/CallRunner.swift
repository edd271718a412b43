import Support

/// Runs blocking calls one by one on a client's connections.
struct CallRunner: Sendable {
  let pool: ConnectionPool
  /// What can stop a blocking call.
  var stopSources = StopSources()

  /// Blocks until a call is finished.
  func run(_ call: Call) throws(ArgyleError) {
    try checkProcess()
    let queue = try pool.acquire()
    defer { pool.release(queue) }
    try run(call, queue)
  }

  /// Blocks until a call is finished that is, or will be, alone in a queue.
  func run(_ call: Call, _ queue: CallQueue) throws(ArgyleError) {
    if call.queue == nil { try queue.submit(call) }
    do {
      try queue.wait(milliseconds: nil, stopSources)
    } catch {
      // A broken queue has failed its calls, whose errors say more.
      if !call.isFinished { throw error }
    }
    // The host may have forked in a callback.
    try checkProcess()
    _ = queue.next()
  }

  /// Throws in a forked child, whose copies of the connections are the parent's.
  func checkProcess() throws(ArgyleError) {
    guard pool.isOfThisProcess else {
      throw ArgyleError(
        .forked,
        "the client was created in the parent process; create a new one after fork()"
      )
    }
  }
}
