import CPlatform

/// The connections of a client and of those made like it, each lent to one thread at a time.
///
/// The one that came back last is lent first, so that few are kept warm. libcurl's own way of sharing connections
/// does not support use by several threads at once.
final class ConnectionPool: @unchecked Sendable {
  // Unchecked: `idle` is touched under the lock only.
  private let lock = Lock()
  private var idle: [Connection] = []
  private let processID = getpid()

  /// Whether this is the process that made the pool, and not a fork of it.
  var belongsToThisProcess: Bool { getpid() == processID }

  /// Makes one attempt at a request and waits for its end.
  func send(_ request: Request, _ settings: TransferSettings) -> CallMachine.Event {
    guard let connection = lock.withLock({ idle.popLast() }) ?? Connection() else {
      return .failed(TransferFailure(.internal, "memory ran out", mayHaveBeenReceived: false))
    }
    defer { lock.withLock { idle.append(connection) } }
    return connection.send(request, settings)
  }

  deinit {
    guard belongsToThisProcess else {
      // To close the copies would end the parent's TLS sessions: they are left to the end of the child.
      for connection in idle { _ = Unmanaged.passRetained(connection) }
      return
    }
  }
}
