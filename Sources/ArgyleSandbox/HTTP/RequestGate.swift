import CPlatform
import Interop

/// Counts the requests in flight, and lets none begin once it is closed.
///
/// A request that was carried out therefore always gets its answer: the daemon is stopped only when
/// the gate is closed.
final class RequestGate {
  private let lock = Lock()
  private var inFlight = 0
  private var closing = false
  private var closed = false

  /// Begins a request; false where it must not.
  func enter() -> Bool {
    lock.withLock {
      if closed { return false }
      inFlight += 1
      return true
    }
  }

  /// Ends a request.
  func leave() {
    lock.withLock { inFlight -= 1 }
  }

  /// Whether connections should end with the answer that they get now.
  var isClosing: Bool {
    lock.withLock { closing }
  }

  /// Closes as soon as no request is in flight, and at the latest when the time is over.
  func close(withinMilliseconds limit: Int) {
    var waited = 0
    while !close(force: waited >= limit) {
      var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
      nanosleep(&pause, nil)
      waited += 5
    }
  }

  private func close(force: Bool) -> Bool {
    lock.withLock {
      closing = true
      closed = force || inFlight == 0
      return closed
    }
  }
}
