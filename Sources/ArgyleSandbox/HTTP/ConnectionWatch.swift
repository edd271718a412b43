import CMicrohttpd
import CPlatform

/// A thread that enforces the timeouts of connections and ends delays.
///
/// libmicrohttpd restarts its own timeout with every byte, so a client could hold a connection forever.
final class ConnectionWatch {
  private let timeoutMilliseconds: Int
  /// Number of connections from which a new one evicts others.
  private let capacity: Int
  private let monitor = Monitor()
  private var connections: [HTTPConnection] = []
  /// Connections that were closed during a delay and are still suspended.
  private var closedWhileDelayed: [HTTPConnection] = []
  /// When the server began to process a request; nil if it is not processing any.
  private var workStart: Moment?
  private var nextDeadline: Moment?
  private var delaysAreDisabled = false
  private var isStopped = false
  private var thread: pthread_t?

  init(timeoutSeconds: Int, capacity: Int) {
    timeoutMilliseconds = timeoutSeconds * 1000
    self.capacity = capacity
  }

  /// Starts the thread, which `stop()` must stop; returns false on failure.
  func start() -> Bool {
    var thread = pthread_t()
    let context = Unmanaged.passUnretained(self).toOpaque()
    guard pthread_create(&thread, nil, runWatch, context) == 0 else { return false }
    self.thread = thread
    return true
  }

  /// Stops the thread, ends all delays and prevents new ones.
  func stop() {
    guard let thread else { return }
    self.thread = nil
    monitor.lock()
    isStopped = true
    monitor.signal()
    monitor.unlock()
    pthread_join(thread, nil)
    monitor.lock()
    delaysAreDisabled = true
    let due = processDeadlines()
    monitor.unlock()
    for connection in due { MHD_resume_connection(connection.handle) }
  }

  /// Ends current delays: their responses are sent.
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

  /// Ends current delays and prevents new ones.
  func disableDelays() {
    monitor.lock()
    defer { monitor.unlock() }
    delaysAreDisabled = true
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

  /// Stops watching a connection whose socket is about to be closed.
  func remove(_ connection: HTTPConnection) {
    monitor.lock()
    defer { monitor.unlock() }
    guard let index = connections.firstIndex(where: { $0 === connection }) else { return }
    connections.swapAt(index, connections.count - 1)
    connections.removeLast()
  }

  /// Moves a connection to its next phase, with a new timeout.
  func enter(_ phase: ConnectionPhase, _ connection: HTTPConnection) {
    monitor.lock()
    defer { monitor.unlock() }
    if connection.phase == .ended { return }
    connection.phase = phase
    connection.deadline = timeout()
    watch(connection)
  }

  /// Starts a delay; the connection must still be suspended for it.
  func delay(_ connection: HTTPConnection, milliseconds: Int) {
    monitor.lock()
    defer { monitor.unlock() }
    connection.delayEnd = .now().adding(milliseconds: milliseconds)
  }

  /// Suspends a connection for its delay; returns false if its request is to continue at once.
  func suspend(_ connection: HTTPConnection) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    guard let end = connection.delayEnd else { return false }
    connection.delayEnd = nil
    if delaysAreDisabled || isStopped || connection.phase == .ended { return false }
    MHD_suspend_connection(connection.handle)
    connection.phase = .delayed
    connection.deadline = end
    watch(connection)
    return true
  }

  /// Processes a request, which does not count towards any client's timeout.
  func excludingFromTimeouts<Result>(_ work: () -> Result) -> Result {
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
    while !isStopped {
      let due = processDeadlines()
      if due.isEmpty {
        monitor.wait(until: nextDeadline)
      } else {
        // Without the lock, because libmicrohttpd acquires its own. Suspended connections stay valid.
        monitor.unlock()
        for connection in due { MHD_resume_connection(connection.handle) }
        monitor.lock()
      }
    }
    monitor.unlock()
  }

  /// Closes connections that have timed out; returns the connections to resume.
  private func processDeadlines() -> [HTTPConnection] {
    let now = Moment.now()
    var due = closedWhileDelayed
    closedWhileDelayed = []
    nextDeadline = nil
    for connection in connections {
      switch connection.phase {
      case .delayed where delaysAreDisabled || connection.deadline <= now:
        connection.phase = .busy
        connection.deadline = timeout()
        due.append(connection)
      case .idle, .busy:
        if connection.deadline > now { break }
        // No client times out while the server is processing a request: check again soon.
        guard workStart == nil else {
          wake(at: now.adding(milliseconds: 100))
          break
        }
        close(connection)
      case .delayed, .ended: break
      }
      if connection.phase != .ended, connection.deadline > now { watch(connection) }
    }
    return due
  }

  /// Shuts down a connection's socket, upon which libmicrohttpd closes the connection.
  private func close(_ connection: HTTPConnection) {
    if connection.phase == .delayed {
      closedWhileDelayed.append(connection)
      wake(at: .now())
    }
    connection.phase = .ended
    shutdown(connection.descriptor, Int32(SHUT_RDWR))
  }

  /// Whether the capacity is reached, not counting connections that are about to close.
  private var isFull: Bool { connections.count { $0.phase != .ended } >= capacity }

  /// Closes delayed connections whose clients have disconnected, or else one idle or delayed connection.
  ///
  /// Idle or delayed, whichever are more, so that new connections do not evict each other; of these, the one with
  /// the earliest deadline.
  private func makeRoom() {
    let idle = connections.filter { $0.phase == .idle }
    let delayed = connections.filter { $0.phase == .delayed }
    let gone = disconnected(delayed)
    for connection in gone { close(connection) }
    let candidates = idle.count < delayed.count ? delayed : idle
    if gone.isEmpty, let next = candidates.min(by: { $0.deadline < $1.deadline }) { close(next) }
  }

  /// Returns the connections whose clients have finished sending.
  ///
  /// Such a client may have disconnected or may still be reading, so the connections are kept while there is room.
  private func disconnected(_ delayed: [HTTPConnection]) -> [HTTPConnection] {
    var states = delayed.map {
      pollfd(fd: $0.descriptor, events: argyle_poll_hangup(), revents: 0)
    }
    guard poll(&states, nfds_t(states.count), 0) > 0 else { return [] }
    return zip(delayed, states).filter { $0.1.revents != 0 }.map { $0.0 }
  }

  private func timeout() -> Moment { .now().adding(milliseconds: timeoutMilliseconds) }

  /// Makes the thread wake up at a connection's deadline.
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
