/// Counts the requests in flight, and lets none begin or be carried out once it is closed.
///
/// It closes when none is in flight, or else by force: then requests lose their answers, and those that were
/// not carried out never are.
final class RequestGate {
  private let monitor = Monitor()
  private var inFlight = 0
  private var closing = false
  private var closed = false

  /// Begins a request; false where it must not.
  func enter() -> Bool {
    monitor.withLock {
      if closed { return false }
      inFlight += 1
      return true
    }
  }

  /// Whether a request that has begun may be carried out.
  var isOpen: Bool {
    monitor.withLock { !closed }
  }

  /// Ends a request.
  func leave() {
    monitor.withLock {
      inFlight -= 1
      if closing { monitor.signal() }
    }
  }

  /// Whether connections should end with the answer that they get now.
  var isClosing: Bool {
    monitor.withLock { closing }
  }

  /// Closes as soon as no request is in flight, and at the deadline at the latest; returns whether all of
  /// them are finished.
  func close(by deadline: Moment) -> Bool {
    monitor.withLock {
      closing = true
      while inFlight > 0 && Moment.now() < deadline { monitor.wait(until: deadline) }
      closed = true
      return inFlight == 0
    }
  }
}
