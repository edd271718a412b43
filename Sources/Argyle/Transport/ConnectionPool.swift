import CPlatform
import Interop

/// The connections of a client and of those made like it, each lent to one thread at a time.
///
/// The one that came back last is lent first, so that few are kept warm. libcurl's own way of sharing connections
/// does not support use by several threads at once.
final class ConnectionPool: Sendable {
  /// How many connections are kept while nobody uses them.
  private static let mostIdle = 32

  private let lock = Lock()
  private let idle = IdleConnections()
  private let processID = getpid()

  /// Whether this is the process that made the pool, and not a fork of it.
  var belongsToThisProcess: Bool { getpid() == processID }

  /// Makes one attempt at a request and waits for its end.
  func send(_ request: Request, _ settings: TransferSettings) -> CallMachine.Event {
    guard let connection = lock.withLock({ idle.list.popLast() }) ?? Connection() else {
      return .failed(TransferFailure(.internal, "memory ran out", mayHaveBeenReceived: false))
    }
    defer {
      lock.withLock {
        if idle.list.count < ConnectionPool.mostIdle { idle.list.append(connection) }
      }
    }
    return connection.send(request, settings)
  }

  deinit {
    // To close a forked child's copies would end the parent's TLS sessions, and another thread of the parent may
    // have been changing the list when it forked: the child leaves both alone until its end.
    if !belongsToThisProcess { _ = Unmanaged.passRetained(idle) }
  }
}

/// The connections that nobody uses, a list apart so that it can be left alone as a whole.
private final class IdleConnections: @unchecked Sendable {
  // Unchecked: touched under the pool's lock only.
  var list: [Connection] = []
}
