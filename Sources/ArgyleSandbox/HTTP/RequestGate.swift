import CPlatform
import Interop

/// Counts the requests in flight, and lets none begin or be carried out once it is closed.
///
/// It closes when none is in flight, or else by force: then requests lose their answers, and those that were
/// not carried out never are.
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

  /// Whether a request that has begun may be carried out.
  var isOpen: Bool {
    lock.withLock { !closed }
  }

  /// Ends a request.
  func leave() {
    lock.withLock { inFlight -= 1 }
  }

  /// Whether connections should end with the answer that they get now.
  var isClosing: Bool {
    lock.withLock { closing }
  }

  /// Closes as soon as no request is in flight, and at the latest when the time is over; tells whether all
  /// of them are finished.
  func close(withinMilliseconds limit: Int) -> Bool {
    var waited = 0
    while !close(force: waited >= limit) {
      var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
      nanosleep(&pause, nil)
      waited += 5
    }
    return waited < limit
  }

  private func close(force: Bool) -> Bool {
    lock.withLock {
      closing = true
      closed = force || inFlight == 0
      return closed
    }
  }
}
