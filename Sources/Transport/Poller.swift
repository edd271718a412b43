import CCurl
import CPlatform
import Support

/// libcurl's sockets, a timer and a wake-up behind one descriptor.
///
/// This is epoll(7), with a timerfd and an eventfd added once the descriptor is shared. On macOS one kqueue(2) would do
/// all three: `EVFILT_READ` and `EVFILT_WRITE` for the sockets, `EVFILT_TIMER` and `EVFILT_USER`. Nothing outside this
/// file depends on which it is.
///
/// A forked child inherits descriptors that still refer to the parent's sockets, so it leaves them alone.
package final class Poller {
  /// A ready socket with any of `CURL_CSELECT_IN`, `CURL_CSELECT_OUT` and `CURL_CSELECT_ERR`.
  package struct Ready {
    package let socket: Int32
    package let events: Int32
  }

  /// Interest in a socket: what libcurl wants, and what the kernel was told.
  private struct Watch {
    let socket: curl_socket_t
    var wanted: UInt32 = 0
    var applied: UInt32 = 0
    var isChanged = false
    /// Whether it is a connection, which only ``closeSocket(_:)`` closes.
    var isConnection = false
    /// The connection's local port; 0 until it is looked up.
    var localPort: Int32 = 0
    /// Whether the connection has received an HTTP/1 response.
    var hasAnsweredHTTP1 = false
    /// Whether received bytes may be where they cannot be checked.
    var hidesInput = false
    /// Diagnostics of the attempt that opened the connection.
    var diagnostics: ConnectionDiagnostics?
    /// The `CURL *` that last asked for it.
    var handle: UnsafeMutableRawPointer?
  }

  /// The descriptor, readable whenever there is work to do.
  package let descriptor: Int32

  private let mark: ProcessMark
  /// Unordered and without gaps.
  private var watches: [Watch] = []
  /// Where to look first: the same socket is usually needed several times in a row.
  private var likelyIndex = 0
  private var changed: [curl_socket_t] = []
  private let events: UnsafeMutableBufferPointer<epoll_event>

  /// The timer and the wake-up; nil until the descriptor is shared.
  private var signals: (timer: Int32, wakeUp: Int32)?
  private var isAwake = false
  /// Whether the host closed the descriptor, so that its number may now refer to something else.
  private var isAbandoned = false
  /// The cancellation descriptor; nil if none is watched.
  private var cancellation: Int32?
  /// When the last wait ended, in microseconds.
  package private(set) var lastWaitEnd: Int64 = 0
  /// When the timer fires, in microseconds; nil if it is not set.
  private var armedTime: Int64?

  private init(_ descriptor: Int32, _ mark: ProcessMark) {
    self.descriptor = descriptor
    self.mark = mark
    events = .allocate(capacity: 64)
    events.initialize(repeating: epoll_event())
  }

  /// Creates a poller; returns nil if file descriptors ran out.
  static func make(_ mark: ProcessMark) -> Poller? {
    let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    return descriptor < 0 ? nil : Poller(descriptor, mark)
  }

  deinit {
    events.deallocate()
    // A forked child's copies belong to the parent.
    guard mark.isOfThisProcess else { return }
    if let signals {
      close(signals.timer)
      close(signals.wakeUp)
    }
    if !isAbandoned { close(descriptor) }
  }

  /// Leaves the descriptor alone after the host closed it.
  package func abandonDescriptor() {
    isAbandoned = true
  }
}

// MARK: - Sockets

extension Poller {
  /// Registers a new connection's socket.
  func adopt(_ socket: curl_socket_t, _ diagnostics: ConnectionDiagnostics? = nil) {
    forget(socket)
    watches.append(Watch(socket: socket, isConnection: true, diagnostics: diagnostics))
  }

  /// Records libcurl's interest in a socket, for ``apply()`` to pass to the kernel.
  ///
  /// A connection without interest stays registered until it is ready or closed: usually the next request on it asks
  /// for the same again. Other sockets, such as those of name resolution, libcurl closes without telling.
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

  /// Closes a socket, whose number may be reused at once.
  func closeSocket(_ socket: curl_socket_t) -> Int32 {
    guard mark.isOfThisProcess else { return close(socket) }
    // Checked while it is still open: closing it frees a descriptor.
    if let index = index(of: socket), let diagnostics = watches[index].diagnostics {
      diagnostics.ranOutOnClose = !Descriptors.canOpen(1)
    }
    // `close` does not remove it from epoll while a forked child holds a copy.
    remove(socket)
    return close(socket)
  }

  /// Detaches a forked child from the connections, which belong to the parent.
  package func abandonConnections() {
    // Any descriptor that cannot be written to will do as a replacement.
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

  /// Removes a socket from the kernel's set.
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

  /// Passes the changes since the last call to the kernel.
  ///
  /// - Returns: the sockets that the kernel cannot watch, which would never become ready.
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

  /// Whether the error means that the socket is closed; its number may now refer to a file.
  private static func meansClosed(_ error: Int32) -> Bool {
    error == EBADF || error == EPERM
  }

  /// Whether a socket is watched for a transfer, given by its `CURL *` and local port.
  func isWatched(
    _ socket: curl_socket_t,
    for handle: UnsafeMutableRawPointer,
    from localPort: Int32
  ) -> Bool {
    // Transfers may share an HTTP/2 connection, which libcurl watches for only one of them.
    var isShared = false
    if localPort != 0 { forEachConnection(from: localPort) { isShared = $0.socket == socket } }
    return isShared || index(of: socket).map { watches[$0].handle == handle } == true
  }

  /// Registers a descriptor with the kernel; events return its number and an index hint.
  private func set(_ descriptor: Int32, to wanted: UInt32, isNew: Bool) -> Bool {
    var event = epoll_event()
    event.events = wanted
    event.data.u64 = UInt64(likelyIndex) << 32 | UInt64(descriptor)
    let operation = isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    guard epoll_ctl(self.descriptor, operation, descriptor, &event) != 0 else { return true }
    // The number was closed and reused without our knowing.
    if __errno_location().pointee == EEXIST {
      return epoll_ctl(self.descriptor, EPOLL_CTL_MOD, descriptor, &event) == 0
    }
    return __errno_location().pointee == ENOENT
      && epoll_ctl(self.descriptor, EPOLL_CTL_ADD, descriptor, &event) == 0
  }
}

// MARK: - Connections

extension Poller {
  /// Records that a connection received an HTTP/1 response.
  ///
  /// - Parameters:
  ///   - localPort: the connection's local port.
  ///   - hidesInput: whether received bytes cannot be checked. That is so for TLS inside a proxy's TLS: libcurl exposes
  ///     only one of the two sessions.
  func recordHTTP1Response(from localPort: Int32, hidesInput: Bool) {
    forEachConnection(from: localPort) { connection in
      connection.hasAnsweredHTTP1 = true
      if hidesInput { connection.hidesInput = true }
    }
  }

  /// Whether a reused HTTP/1 connection has, or may have, unsolicited bytes or was closed by the peer.
  ///
  /// libcurl would take the bytes for the next response. Before its first response a connection legitimately receives
  /// TLS session tickets, and an HTTP/2 connection receives frames at any time.
  ///
  /// - Parameters:
  ///   - localPort: the connection's local port.
  ///   - hasPending: whether the TLS library holds unread bytes of the connection.
  /// - Returns: false if libcurl may use the connection.
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

  /// Returns how many sent bytes of a connection the peer has not acknowledged.
  func unsentBytes(from localPort: Int32) -> Int {
    var count = 0
    forEachConnection(from: localPort) { count += Int(argyle_unsent_bytes($0.socket)) }
    return count
  }

  /// Visits the connections with a local port, the only name libcurl has for one in use.
  ///
  /// Several connections to different addresses may share a port. Treating them alike is harmless: at worst a usable
  /// connection is closed.
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
    /// The timeout passed, or only the timer or the wake-up is ready.
    case timedOut
    /// The cancellation descriptor is readable.
    case cancelled
    /// A signal interrupted the wait.
    case interrupted
    /// The host closed the descriptor.
    case broken
  }

  /// Waits up to `milliseconds` (-1: no limit) and passes each ready socket to `body`.
  func wait(_ milliseconds: Int32, _ body: (Ready) -> Void) -> WaitResult {
    let count = epoll_wait(descriptor, events.baseAddress, Int32(events.count), milliseconds)
    lastWaitEnd = MonotonicClock.now
    guard count >= 0 else { return __errno_location().pointee == EINTR ? .interrupted : .broken }
    var isCancelled = false
    var isReady = false
    for index in 0..<Int(count) {
      // The host may have forked while the previous socket was read.
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

  /// Ends waits when a descriptor becomes readable; returns false if it is closed.
  package func watch(cancellation descriptor: Int32) -> Bool {
    cancellation = descriptor
    return set(descriptor, to: EPOLLIN.rawValue, isNew: true)
  }

  /// Stops watching the cancellation descriptor.
  package func unwatchCancellation() {
    if let cancellation { deselect(cancellation) }
    cancellation = nil
  }

  private func ready(_ socket: curl_socket_t, _ events: UInt32) -> Ready? {
    guard let index = index(of: socket) else { return nil }
    if watches[index].wanted == 0 {
      // No transfer waits for it: the server is closing an idle connection. libcurl may ask for it again.
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
  /// Whether the host waits on the descriptor, so that it must include the timer and the wake-up.
  package var isShared: Bool { signals != nil }

  /// Adds the timer and the wake-up; returns false if memory or descriptors ran out.
  package func share() -> Bool {
    if isShared { return true }
    let timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    let wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard timer >= 0, wakeUp >= 0, set(timer, to: EPOLLIN.rawValue, isNew: true),
      set(wakeUp, to: EPOLLIN.rawValue, isNew: true)
    else {
      // Closing a descriptor removes it from epoll.
      if timer >= 0 { close(timer) }
      if wakeUp >= 0 { close(wakeUp) }
      return false
    }
    signals = (timer, wakeUp)
    return true
  }

  /// Makes the descriptor readable, or not, until the next call.
  package func setAwake(_ awake: Bool) {
    guard let signals, awake != isAwake, mark.isOfThisProcess else { return }
    isAwake = awake
    if awake { eventfd_write(signals.wakeUp, 1) } else { drain(signals.wakeUp) }
  }

  /// Makes the descriptor readable at a time, in microseconds, or slightly earlier.
  ///
  /// An earlier timer is left as it is: one needless round costs less than setting the timer for each request.
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
