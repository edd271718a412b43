import CCurl
import CPlatform
import Support

/// The sockets that libcurl watches, a timer and a wake-up, behind one descriptor.
///
/// This is epoll(7), with a timerfd and an eventfd inside once somebody else waits on the descriptor. On macOS one
/// kqueue(2) would do all three: `EVFILT_READ` and `EVFILT_WRITE` for the sockets, `EVFILT_TIMER` and
/// `EVFILT_USER`. Nothing outside this file knows which it is.
///
/// A forked child has copies of the descriptors, behind which is what the parent's are for: it leaves them alone.
package final class Poller {
  /// A socket that is ready, in libcurl's terms: any of `CURL_CSELECT_IN`, `CURL_CSELECT_OUT` and `CURL_CSELECT_ERR`.
  package struct Ready {
    package let socket: Int32
    package let events: Int32
  }

  /// What is watched of a socket: what libcurl wants, and what the kernel was told.
  private struct Watch {
    let socket: curl_socket_t
    var wanted: UInt32 = 0
    var applied: UInt32 = 0
    var isChanged = false
    /// Whether it is a connection, which is closed by ``closeSocket(_:)`` alone.
    var isConnection = false
    /// The connection's port on this side; 0 until it is asked for.
    var localPort: Int32 = 0
    /// Whether the connection has brought an answer of HTTP/1.
    var hasAnsweredHTTP1 = false
    /// Whether bytes that it has brought may be where nobody can look.
    var hidesInput = false
    /// What the attempt that opened the connection is to know of it.
    var diagnostics: ConnectionDiagnostics?
    /// The handle of libcurl's for which it was asked last.
    var handle: UnsafeMutableRawPointer?
  }

  /// The descriptor, which is readable whenever there is something to do.
  package let descriptor: Int32

  private let mark: ProcessMark
  /// In no order, without gaps.
  private var watches: [Watch] = []
  /// Where to look first: mostly the same socket is asked for several times in a row.
  private var likelyIndex = 0
  private var changed: [curl_socket_t] = []
  private let events: UnsafeMutableBufferPointer<epoll_event>

  /// The timer and the wake-up; nil until the descriptor is shared.
  private var signals: (timer: Int32, wakeUp: Int32)?
  private var isAwake = false
  /// Whether somebody else has closed the descriptor, whose number may stand for something else by now.
  private var isAbandoned = false
  /// What makes waits end, for as long as it is watched.
  private var cancellation: Int32?
  /// When the last wait was over, in microseconds.
  package private(set) var lastReturn: Int64 = 0
  /// When the timer goes off, in microseconds; nil where it is not set.
  private var armedTime: Int64?

  private init(_ descriptor: Int32, _ mark: ProcessMark) {
    self.descriptor = descriptor
    self.mark = mark
    events = .allocate(capacity: 64)
    events.initialize(repeating: epoll_event())
  }

  /// Makes a descriptor; nil where the process may have no more.
  static func make(_ mark: ProcessMark) -> Poller? {
    let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    return descriptor < 0 ? nil : Poller(descriptor, mark)
  }

  deinit {
    events.deallocate()
    // A forked child's copies are the parent's.
    guard mark.isOfThisProcess else { return }
    if let signals {
      close(signals.timer)
      close(signals.wakeUp)
    }
    if !isAbandoned { close(descriptor) }
  }

  /// Leaves the descriptor alone, which is not ours any more.
  package func abandonDescriptor() {
    isAbandoned = true
  }
}

// MARK: - Sockets

extension Poller {
  /// Notes that a socket has been made for a connection.
  func adopt(_ socket: curl_socket_t, _ diagnostics: ConnectionDiagnostics? = nil) {
    forget(socket)
    watches.append(Watch(socket: socket, isConnection: true, diagnostics: diagnostics))
  }

  /// Notes what libcurl wants to know of a socket, to be told to the kernel by ``apply()``.
  ///
  /// A connection that is of no interest stays with the kernel until it is ready or closed: mostly the next request
  /// on it asks for the same again. Others, as those on which a name is waited for, libcurl closes without a word.
  func watch(_ socket: curl_socket_t, _ what: Int32, for handle: UnsafeMutableRawPointer? = nil) {
    var wanted: UInt32 = 0
    if what == CURL_POLL_IN || what == CURL_POLL_INOUT { wanted |= EPOLLIN.rawValue }
    if what == CURL_POLL_OUT || what == CURL_POLL_INOUT { wanted |= EPOLLOUT.rawValue }
    let index = index(of: socket) ?? watches.endIndex
    if index == watches.endIndex { watches.append(Watch(socket: socket)) }
    guard wanted != 0 || watches[index].isConnection else {
      remove(socket)
      return
    }
    watches[index].wanted = wanted
    watches[index].handle = handle
    if !watches[index].isChanged, wanted != 0, wanted != watches[index].applied {
      watches[index].isChanged = true
      changed.append(socket)
    }
  }

  /// Closes a socket, whose number may stand for another one at once.
  func closeSocket(_ socket: curl_socket_t) -> Int32 {
    guard mark.isOfThisProcess else { return close(socket) }
    // While it is still open: afterwards there would be a descriptor again.
    if let index = index(of: socket), let diagnostics = watches[index].diagnostics {
      diagnostics.ranOutOnClose = !Descriptors.canOpen(1)
    }
    // Not left to `close`: a child of this process may hold a copy, for which the kernel would go on.
    remove(socket)
    return close(socket)
  }

  /// Lets nothing that a forked child still does reach the connections, which are the parent's.
  package func abandonConnections() {
    // Anything on which nothing can be sent will do in their place.
    for watch in watches where watch.isConnection {
      argyle_replace_descriptor(watch.socket, descriptor)
    }
  }

  private func index(of socket: curl_socket_t) -> Int? {
    if likelyIndex < watches.count, watches[likelyIndex].socket == socket { return likelyIndex }
    let index = watches.firstIndex { $0.socket == socket }
    if let index { likelyIndex = index }
    return index
  }

  /// Takes a socket away from the kernel.
  private func remove(_ socket: curl_socket_t) {
    guard let index = index(of: socket) else { return }
    if watches[index].applied != 0 { deselect(socket) }
    forget(socket)
  }

  private func deselect(_ descriptor: Int32) {
    guard mark.isOfThisProcess else { return }
    var event = epoll_event()
    epoll_ctl(self.descriptor, EPOLL_CTL_DEL, descriptor, &event)
  }

  private func forget(_ socket: curl_socket_t) {
    guard let index = index(of: socket), let last = watches.popLast() else { return }
    if index < watches.endIndex { watches[index] = last }
  }

  /// Tells the kernel what has changed since the last time.
  ///
  /// - Returns: the sockets that the kernel cannot watch, on which nothing would ever be noticed.
  @discardableResult
  package func apply() -> [Int32] {
    var refused: [curl_socket_t] = []
    guard mark.isOfThisProcess else { return refused }
    for socket in changed {
      guard let index = index(of: socket) else { continue }
      let watch = watches[index]
      watches[index].isChanged = false
      guard watch.wanted != 0, watch.wanted != watch.applied else { continue }
      if set(socket, to: watch.wanted, isNew: watch.applied == 0) {
        watches[index].applied = watch.wanted
      } else if !watch.isConnection, Poller.meansClosed(__errno_location().pointee) {
        forget(socket)
      } else {
        refused.append(socket)
      }
    }
    changed.removeAll(keepingCapacity: true)
    return refused
  }

  /// Whether the kernel's refusal to watch says that a socket is closed, and that its number may stand for a file.
  private static func meansClosed(_ error: Int32) -> Bool {
    error == EBADF || error == EPERM
  }

  /// Whether a socket is watched for a transfer, by libcurl's handle and its connection's port on this side.
  func isWatched(
    _ socket: curl_socket_t,
    for handle: UnsafeMutableRawPointer,
    from localPort: Int32
  ) -> Bool {
    // Transfers may share a connection of HTTP/2, which libcurl watches for one of them.
    var isShared = false
    if localPort != 0 { forEachConnection(from: localPort) { isShared = $0.socket == socket } }
    return isShared || index(of: socket).map { watches[$0].handle == handle } == true
  }

  /// Tells the kernel what to watch of a descriptor; it gives back the number with a hint at where it stood.
  private func set(_ descriptor: Int32, to wanted: UInt32, isNew: Bool) -> Bool {
    var event = epoll_event()
    event.events = wanted
    event.data.u64 = UInt64(likelyIndex) << 32 | UInt64(descriptor)
    let operation = isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    guard epoll_ctl(self.descriptor, operation, descriptor, &event) != 0 else { return true }
    // A number that was closed and given again behind our back.
    if __errno_location().pointee == EEXIST {
      return epoll_ctl(self.descriptor, EPOLL_CTL_MOD, descriptor, &event) == 0
    }
    return __errno_location().pointee == ENOENT
      && epoll_ctl(self.descriptor, EPOLL_CTL_ADD, descriptor, &event) == 0
  }
}

// MARK: - Connections

extension Poller {
  /// Notes that a connection has brought an answer of HTTP/1.
  ///
  /// - Parameters:
  ///   - localPort: the connection's port on this side.
  ///   - hidesInput: whether bytes may be where nobody can look. So it is with TLS within the TLS of a proxy: libcurl
  ///     tells of one of the two sessions alone.
  func noteHTTP1Answer(from localPort: Int32, hidesInput: Bool) {
    forEachConnection(from: localPort) { connection in
      connection.hasAnsweredHTTP1 = true
      if hidesInput { connection.hidesInput = true }
    }
  }

  /// Whether a kept connection of HTTP/1 has, or may have, brought bytes that nobody asked for, or its end.
  ///
  /// libcurl would take them for the answer to the next request. Before its first answer a connection rightly brings
  /// TLS session tickets, and one of HTTP/2 brings frames at any time.
  ///
  /// - Parameters:
  ///   - localPort: the connection's port on this side.
  ///   - hasPending: whether the TLS library has read bytes from it that nobody has taken.
  /// - Returns: false where libcurl may use the connection.
  func mayHaveUnsolicitedInput(from localPort: Int32, hasPending: () -> Bool) -> Bool {
    var mayHaveUnsolicitedInput = false
    forEachConnection(from: localPort) { connection in
      guard connection.hasAnsweredHTTP1 else { return }
      if connection.hidesInput || argyle_has_input(connection.socket) != 0 || hasPending() {
        mayHaveUnsolicitedInput = true
      }
    }
    return mayHaveUnsolicitedInput
  }

  /// How many bytes of a connection the other side has not confirmed yet.
  func unsentBytes(from localPort: Int32) -> Int {
    var count = 0
    forEachConnection(from: localPort) { count += Int(argyle_unsent_bytes($0.socket)) }
    return count
  }

  /// Visits the connection from a port on this side, by which alone libcurl names it while it is in use.
  ///
  /// There may be several where they go to different addresses. What is said of one is then taken for all, which does
  /// no harm: a connection too many is given up.
  private func forEachConnection(from localPort: Int32, _ body: (inout Watch) -> Void) {
    for index in watches.indices where watches[index].isConnection {
      if watches[index].localPort == 0 {
        watches[index].localPort = argyle_local_port(watches[index].socket)
      }
      if watches[index].localPort == localPort { body(&watches[index]) }
    }
  }
}

// MARK: - Waiting

extension Poller {
  /// How a wait ended.
  package enum WaitResult {
    /// A socket is ready.
    case ready
    /// The time has passed, or nothing but the timer or the wake-up is ready.
    case timedOut
    /// What is watched to cancel all has come.
    case cancelled
    /// A signal interrupted it.
    case interrupted
    /// The descriptor is not ours any more.
    case broken
  }

  /// Waits for ready sockets, at most so many milliseconds (-1 for ever), and hands them over.
  func wait(_ milliseconds: Int32, _ body: (Ready) -> Void) -> WaitResult {
    let count = epoll_wait(descriptor, events.baseAddress, Int32(events.count), milliseconds)
    lastReturn = MonotonicClock.now
    guard count >= 0 else { return __errno_location().pointee == EINTR ? .interrupted : .broken }
    var isCancelled = false
    var isReady = false
    for index in 0..<Int(count) {
      // The host may have forked while the one before was read.
      guard mark.isOfThisProcess else { break }
      let event = events[index]
      let descriptor = Int32(truncatingIfNeeded: event.data.u64)
      likelyIndex = Int(event.data.u64 >> 32)
      if let signals, descriptor == signals.timer {
        drain(descriptor)
        armedTime = nil
      } else if let signals, descriptor == signals.wakeUp {
        continue
      } else if descriptor == cancellation {
        isCancelled = true
      } else if let ready = ready(descriptor, event.events) {
        isReady = true
        body(ready)
      }
    }
    if isCancelled { return .cancelled }
    return isReady ? .ready : .timedOut
  }

  /// Lets waits end when a descriptor is readable; false where it cannot be watched, for it was closed.
  package func watch(cancellation descriptor: Int32) -> Bool {
    cancellation = descriptor
    return set(descriptor, to: EPOLLIN.rawValue, isNew: true)
  }

  /// Watches for a cancellation no more.
  package func unwatchCancellation() {
    if let cancellation { deselect(cancellation) }
    cancellation = nil
  }

  private func ready(_ socket: curl_socket_t, _ events: UInt32) -> Ready? {
    guard let index = index(of: socket) else { return nil }
    if watches[index].wanted == 0 {
      // Nobody waits for it: a kept connection that the server closes. It may be asked for again.
      deselect(socket)
      watches[index].applied = 0
      return nil
    }
    var selected: Int32 = 0
    if events & EPOLLIN.rawValue != 0 { selected |= CURL_CSELECT_IN }
    if events & EPOLLOUT.rawValue != 0 { selected |= CURL_CSELECT_OUT }
    if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { selected |= CURL_CSELECT_ERR }
    return Ready(socket: socket, events: selected)
  }
}

// MARK: - Sharing the descriptor

extension Poller {
  /// Whether somebody else may wait on the descriptor, so that the timer and the wake-up have to be inside.
  package var isShared: Bool { signals != nil }

  /// Puts a timer and a wake-up behind the descriptor; false where memory or descriptors ran out.
  package func share() -> Bool {
    if isShared { return true }
    let timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    let wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard timer >= 0, wakeUp >= 0, set(timer, to: EPOLLIN.rawValue, isNew: true),
      set(wakeUp, to: EPOLLIN.rawValue, isNew: true)
    else {
      // The kernel forgets what is closed.
      if timer >= 0 { close(timer) }
      if wakeUp >= 0 { close(wakeUp) }
      return false
    }
    signals = (timer, wakeUp)
    return true
  }

  /// Makes the descriptor readable until it is told otherwise.
  package func setAwake(_ awake: Bool) {
    guard let signals, awake != isAwake, mark.isOfThisProcess else { return }
    isAwake = awake
    if awake { eventfd_write(signals.wakeUp, 1) } else { drain(signals.wakeUp) }
  }

  /// Makes the descriptor readable at a time, in microseconds, or a little before.
  ///
  /// A timer that goes off too early is left as it is: one needless round costs less than setting it for each
  /// request.
  package func setTimer(_ time: Int64?) {
    guard let signals, let time, mark.isOfThisProcess else { return }
    if let armedTime, armedTime <= time { return }
    armedTime = time
    var setting = itimerspec()
    // Zero would disarm it.
    let armed = max(time, 1)
    setting.it_value.tv_sec = Int(armed / 1_000_000)
    setting.it_value.tv_nsec = Int(armed % 1_000_000) * 1000
    timerfd_settime(signals.timer, Int32(TFD_TIMER_ABSTIME), &setting, nil)
  }

  private func drain(_ descriptor: Int32) {
    var value: UInt64 = 0
    _ = read(descriptor, &value, 8)
  }
}
