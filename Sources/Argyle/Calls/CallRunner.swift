import Support

/// Runs calls one by one, each until it is over, on the connections of a client.
struct CallRunner: Sendable {
  let pool: ConnectionPool
  /// What may end a blocking call.
  var stopSources = StopSources()

  /// Waits until a call is over.
  func run(_ call: Call) throws(ArgyleError) {
    try checkProcess()
    let queue = try pool.acquire()
    defer { pool.release(queue) }
    try run(call, queue)
  }

  /// Waits until a call is over that a queue of its own holds, or is to hold.
  func run(_ call: Call, _ queue: CallQueue) throws(ArgyleError) {
    if call.queue == nil { try queue.submit(call) }
    do {
      try queue.wait(milliseconds: nil, stopSources)
    } catch {
      // A queue that breaks has ended its calls, each of which tells more than the queue.
      if !call.isFinished { throw error }
    }
    // The host may have forked in a callback.
    try checkProcess()
    _ = queue.next()
  }

  /// Refuses to go on in a forked child, whose copies of the connections are the parent's.
  func checkProcess() throws(ArgyleError) {
    guard pool.isOfThisProcess else {
      throw ArgyleError(
        .forked,
        "the client was made in the parent process; make a new one after fork()"
      )
    }
  }
}
