import CMicrohttpd
import CPlatform

/// A thread that ends connections whose time is over, and delays.
///
/// libmicrohttpd's own time-out starts again with every byte, so that a client can hold a connection for
/// ever.
final class ConnectionWatch {
  private let timeoutMilliseconds: Int
  /// From this number on, others make room for a new one.
  private let capacity: Int
  private let monitor = Monitor()
  private var connections: [HTTPConnection] = []
  /// Those that were ended during their delay, and are suspended still.
  private var endedInDelay: [HTTPConnection] = []
  private var workStart: Moment?
  private var nextDeadline: Moment?
  private var delaysAreOver = false
  private var hasEnded = false
  private var thread: pthread_t?

  init(timeoutSeconds: Int, capacity: Int) {
    timeoutMilliseconds = timeoutSeconds * 1000
    self.capacity = capacity
  }

  /// Starts the thread, which `end()` has to end; false where that fails.
  func begin() -> Bool {
    var thread = pthread_t()
    let context = Unmanaged.passUnretained(self).toOpaque()
    guard pthread_create(&thread, nil, runWatch, context) == 0 else { return false }
    self.thread = thread
    return true
  }

  /// Ends the thread, and all delays; none begins any more.
  func end() {
    guard let thread else { return }
    self.thread = nil
    monitor.lock()
    hasEnded = true
    monitor.signal()
    monitor.unlock()
    pthread_join(thread, nil)
    monitor.lock()
    delaysAreOver = true
    let due = takeDue()
    monitor.unlock()
    for connection in due { MHD_resume_connection(connection.handle) }
  }

  /// Ends the delays that have begun: their answers are sent.
  func endDelays() {
    monitor.lock()
    defer { monitor.unlock() }
    let now = Moment.now()
    for connection in connections {
      connection.delayEnd = nil
      if connection.phase == .delayed { connection.deadline = now }
    }
    wake(at: now)
  }

  /// Ends all delays, those to come too.
  func endAllDelays() {
    monitor.lock()
    defer { monitor.unlock() }
    delaysAreOver = true
    monitor.signal()
  }

  func add(_ handle: OpaquePointer?, _ descriptor: Int32) -> HTTPConnection {
    monitor.lock()
    defer { monitor.unlock() }
    if isFull { makeRoom() }
    let connection = HTTPConnection(handle: handle, descriptor: descriptor, deadline: timeout())
    connections.append(connection)
    watch(connection)
    return connection
  }

  /// Forgets a connection whose socket is about to be closed.
  func remove(_ connection: HTTPConnection) {
    monitor.lock()
    defer { monitor.unlock() }
    guard let index = connections.firstIndex(where: { $0 === connection }) else { return }
    connections.swapAt(index, connections.count - 1)
    connections.removeLast()
  }

  /// Gives a connection the time for its next part.
  func enter(_ phase: ConnectionPhase, _ connection: HTTPConnection) {
    monitor.lock()
    defer { monitor.unlock() }
    if connection.phase == .ended { return }
    connection.phase = phase
    connection.deadline = timeout()
    watch(connection)
  }

  /// Begins a delay, for which the connection is still to be suspended.
  func delay(_ connection: HTTPConnection, milliseconds: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    connection.delayEnd = .now().adding(milliseconds: milliseconds)
  }

  /// Suspends a connection for the delay that has begun; false where its request is to go on at once.
  func suspend(_ connection: HTTPConnection) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    guard let end = connection.delayEnd else { return false }
    connection.delayEnd = nil
    if delaysAreOver || hasEnded || connection.phase == .ended { return false }
    MHD_suspend_connection(connection.handle)
    connection.phase = .delayed
    connection.deadline = end
    watch(connection)
    return true
  }

  /// Does the server's work, which is no time that clients take.
  func duringWork<Result>(_ work: () -> Result) -> Result {
    let start = Moment.now()
    monitor.lock()
    workStart = start
    monitor.unlock()
    let result = work()
    monitor.lock()
    workStart = nil
    let elapsed = Moment.now().since(start)
    for connection in connections where elapsed > 100_000 && connection.phase != .delayed {
      connection.deadline = connection.deadline.adding(microseconds: elapsed)
    }
    monitor.unlock()
    return result
  }

  fileprivate func run() {
    monitor.lock()
    while !hasEnded {
      let due = takeDue()
      if due.isEmpty {
        monitor.wait(until: nextDeadline)
      } else {
        // Not under the lock, because libmicrohttpd takes one of its own. A suspended connection stays.
        monitor.unlock()
        for connection in due { MHD_resume_connection(connection.handle) }
        monitor.lock()
      }
    }
    monitor.unlock()
  }

  /// Ends what is over; gives the connections that are to be resumed.
  private func takeDue() -> [HTTPConnection] {
    let now = Moment.now()
    var due = endedInDelay
    endedInDelay = []
    nextDeadline = nil
    for connection in connections {
      switch connection.phase {
      case .delayed where delaysAreOver || connection.deadline <= now:
        connection.phase = .busy
        connection.deadline = timeout()
        due.append(connection)
      case .idle, .busy:
        if connection.deadline > now { break }
        // While the server works, nobody can be late; it is looked at again soon.
        guard workStart == nil else {
          wake(at: now.adding(milliseconds: 100))
          break
        }
        cut(connection)
      case .delayed, .ended: break
      }
      if connection.phase != .ended, connection.deadline > now { watch(connection) }
    }
    return due
  }

  /// Lets libmicrohttpd find the connection at its end.
  private func cut(_ connection: HTTPConnection) {
    if connection.phase == .delayed {
      endedInDelay.append(connection)
      wake(at: .now())
    }
    connection.phase = .ended
    shutdown(connection.descriptor, Int32(SHUT_RDWR))
  }

  /// Whether no place is free, where those that are about to go have none.
  private var isFull: Bool { connections.count { $0.phase != .ended } >= capacity }

  /// Ends the delayed connections whose clients have gone, else an idle or a delayed one.
  ///
  /// It is of the kind of which there are more, so that newcomers do not take each other's place, and the one
  /// whose time is over first.
  private func makeRoom() {
    let idle = connections.filter { $0.phase == .idle }
    let delayed = connections.filter { $0.phase == .delayed }
    let gone = hungUp(delayed)
    for connection in gone { cut(connection) }
    let candidates = idle.count < delayed.count ? delayed : idle
    if gone.isEmpty, let next = candidates.min(by: { $0.deadline < $1.deadline }) { cut(next) }
  }

  /// Those whose clients send no more.
  ///
  /// A client that has gone cannot be told from one that still listens, so they stay while there is room.
  private func hungUp(_ delayed: [HTTPConnection]) -> [HTTPConnection] {
    var states = delayed.map {
      pollfd(fd: $0.descriptor, events: argyle_poll_hangup(), revents: 0)
    }
    guard poll(&states, nfds_t(states.count), 0) > 0 else { return [] }
    return zip(delayed, states).filter { $0.1.revents != 0 }.map { $0.0 }
  }

  private func timeout() -> Moment { .now().adding(milliseconds: timeoutMilliseconds) }

  /// Sees to it that the thread is awake at a connection's deadline.
  private func watch(_ connection: HTTPConnection) { wake(at: connection.deadline) }

  private func wake(at moment: Moment) {
    if let next = nextDeadline, next <= moment { return }
    nextDeadline = moment
    monitor.signal()
  }
}

private func runWatch(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context {
    Unmanaged<ConnectionWatch>.fromOpaque(context).takeUnretainedValue().run()
  }
  return nil
}
