import CCurl
import Support

/// One of libcurl's multi handles: the transfers that run in it, and the connections that it keeps.
///
/// It is driven by libcurl's socket interface, so that all it waits for stands behind the one descriptor of a
/// ``Poller``. In a forked child it does nothing: a host may fork in a callback, and its child comes back from that
/// with connections that are the parent's.
package final class MultiHandle {
  /// The sockets, the timer and the wake-up.
  package let poller: Poller
  /// The connections whose end the server has announced.
  let endedConnections = EndedConnections()

  private var multi: UnsafeMutableRawPointer
  private let connections: Int
  let mark: ProcessMark
  /// When libcurl wants to be called, in microseconds: 0 for at once, nil for not at all.
  package private(set) var due: Int64?
  /// Whether libcurl could not go on with a transfer, and does not tell with which: then all are to be taken out, and
  /// ``renew()`` is to be called.
  package private(set) var hasFailed = false
  /// Whether libcurl's handle is not to be used any more.
  private var isUnusable = false
  /// Those of libcurl's easy handles that nobody uses.
  private var idle: [EasyHandle] = []
  /// Asked in the middle of an answer: whether the transfer is to end.
  package var shouldStop: ((EasyHandle) -> Bool)?

  private init(
    _ poller: Poller,
    _ multi: UnsafeMutableRawPointer,
    _ connections: Int,
    _ mark: ProcessMark
  ) {
    self.connections = connections
    self.mark = mark
    self.poller = poller
    self.multi = multi
  }

  /// Makes a handle that keeps so many connections; nil where memory or descriptors ran out.
  package static func make(connections: Int, _ mark: ProcessMark) -> MultiHandle? {
    guard let poller = Poller.make(mark), let multi = curl_multi_init() else { return nil }
    let handle = MultiHandle(poller, multi, connections, mark)
    return handle.configure() == CURLM_OK ? handle : nil
  }

  deinit {
    // In a forked child, closing these connections would end the parent's TLS sessions.
    if mark.isOfThisProcess { curl_multi_cleanup(multi) }
  }

  private func configure() -> CURLMcode {
    let context = Unmanaged.passUnretained(self).toOpaque()
    let results = [
      argyle_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connections),
      argyle_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context),
      argyle_curl_multi_set_socket_function(multi) { easy, socket, what, context, _ in
        MultiHandle.from(context)?.poller.watch(socket, what, for: easy)
        return 0
      },
      argyle_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context),
      argyle_curl_multi_set_timer_function(multi) { _, milliseconds, context in
        MultiHandle.from(context)?.setDue(after: milliseconds)
        return 0
      },
    ]
    return results.first { $0 != CURLM_OK } ?? CURLM_OK
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> MultiHandle? {
    context.map { Unmanaged<MultiHandle>.fromOpaque($0).takeUnretainedValue() }
  }

  private func setDue(after milliseconds: Int) {
    switch milliseconds {
    case 0: due = 0
    case 1...Int(Int32.max): due = MonotonicClock.now + Int64(milliseconds) * 1000
    default: due = nil
    }
  }
}

// MARK: - Transfers

extension MultiHandle {
  /// Starts a transfer; an error where it cannot be, so that nothing was sent.
  package func start(
    _ request: Request,
    _ settings: TransferSettings,
    context: UnsafeMutableRawPointer
  ) throws(TransferFailure) -> EasyHandle {
    guard let easy = idle.popLast() ?? EasyHandle.make(self) else {
      throw TransferFailure(.internal, "memory ran out", mayHaveBeenReceived: false)
    }
    easy.context = context
    easy.result = easy.prepare(request, settings)
    if easy.result == CURLE_OK, !add(easy) { easy.result = CURLE_FAILED_INIT }
    if easy.result != CURLE_OK, case .failure(let failure) = finish(easy) { throw failure }
    return easy
  }

  private func add(_ easy: EasyHandle) -> Bool {
    guard mark.isOfThisProcess, !hasFailed, !isUnusable || renew() else { return false }
    return curl_multi_add_handle(multi, easy.handle) == CURLM_OK
  }

  /// Tells what a transfer has brought that has ended, and keeps its handle for another.
  package func finish(_ easy: EasyHandle) -> Result<Response, TransferFailure> {
    release(easy)
    return easy.transfer.outcome(of: easy.result, easy)
  }

  /// Ends a transfer, and keeps its handle for another.
  package func stop(
    _ easy: EasyHandle,
    _ kind: TransferFailure.Kind,
    _ reason: String
  ) -> TransferFailure {
    release(easy)
    return easy.transfer.outcome(kind, reason)
  }

  private func release(_ easy: EasyHandle) {
    if mark.isOfThisProcess { curl_multi_remove_handle(multi, easy.handle) }
    easy.discardBody()
    if easy.transfer.wantedRetry { easy.invalidateSettings() }
    easy.context = nil
    idle.append(easy)
  }

  /// Whether a transfer waits for a socket.
  package func isWaiting(_ easy: EasyHandle, for socket: Int32) -> Bool {
    poller.isWatched(socket, for: easy.handle, from: easy.transfer.localPort)
  }

  /// The next transfer that has ended, which is to be finished or stopped.
  package func nextEnded() -> EasyHandle? {
    guard mark.isOfThisProcess else { return nil }
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
        let easy = EasyHandle.from(handle)
      else { continue }
      easy.result = argyle_curl_message_result(message)
      return easy
    }
    return nil
  }
}

// MARK: - Driving

extension MultiHandle {
  /// Waits for ready sockets, at most so many milliseconds (-1 for ever), and lets libcurl work on them.
  package func wait(_ milliseconds: Int32) -> Poller.WaitResult {
    guard mark.isOfThisProcess else { return .timedOut }
    var running: Int32 = 0
    return poller.wait(milliseconds) { ready in
      guard !isUnusable else { return }
      note(curl_multi_socket_action(multi, ready.socket, ready.events, &running))
    }
  }

  /// Whether a time has passed that libcurl waits for, and not just its next step is due.
  package func hasExpiredTimer(_ now: Int64) -> Bool {
    guard let due else { return false }
    return due > 0 && due <= now
  }

  /// Lets libcurl do what is due, and tells whether anything was.
  package func runDue(_ now: Int64) -> Bool {
    guard mark.isOfThisProcess, !isUnusable, let due, due <= now else { return false }
    self.due = nil
    var running: Int32 = 0
    note(curl_multi_socket_action(multi, CURL_SOCKET_BAD, 0, &running))
    return true
  }

  private func note(_ result: CURLMcode) {
    guard result != CURLM_OK else { return }
    hasFailed = true
    isUnusable = true
    due = nil
  }

  /// Goes on with another of libcurl's handles, without transfers and connections; false where memory ran out.
  ///
  /// One that has failed may have kept a socket in mind that was closed, and crash when its number is given again.
  @discardableResult
  package func renew() -> Bool {
    hasFailed = false
    guard mark.isOfThisProcess, let other = curl_multi_init() else { return false }
    curl_multi_cleanup(multi)
    multi = other
    due = nil
    isUnusable = configure() != CURLM_OK
    return !isUnusable
  }
}
