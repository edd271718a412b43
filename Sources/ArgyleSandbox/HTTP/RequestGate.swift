/// Counts requests in flight; once closed, it lets none start or be carried out.
///
/// It closes when no request is in flight, or at a deadline: requests in flight then lose their responses, and those
/// that were not carried out never are.
final class RequestGate {
  private let monitor = Monitor()
  private var inFlight = 0
  private var closing = false
  private var closed = false

  /// Starts a request; returns false if the gate is closed.
  func enter() -> Bool {
    monitor.withLock {
      if closed { return false }
      inFlight += 1
      return true
    }
  }

  /// Whether a started request may be carried out.
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

  /// Whether connections should close after their current response.
  var isClosing: Bool {
    monitor.withLock { closing }
  }

  /// Closes when no request is in flight, or at the deadline; returns whether all requests finished.
  func close(by deadline: Moment) -> Bool {
    monitor.withLock {
      closing = true
      while inFlight > 0 && Moment.now() < deadline { monitor.wait(until: deadline) }
      closed = true
      return inFlight == 0
    }
  }
}
