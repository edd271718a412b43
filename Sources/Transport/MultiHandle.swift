import CCurl
import Support

/// A libcurl multi handle: its running transfers and its connection cache.
///
/// It uses libcurl's socket interface, so that everything it waits for is behind the single descriptor of a ``Poller``.
/// In a forked child it does nothing: a host may fork in a callback, whose child then returns here with the parent's
/// connections.
package final class MultiHandle {
  /// The sockets, the timer and the wake-up.
  package let poller: Poller
  /// The connections for which the server sent GOAWAY.
  let goAwayTracker = GoAwayTracker()

  private var multi: UnsafeMutableRawPointer
  private let connections: Int
  let mark: ProcessMark
  /// When libcurl's timer expires, in microseconds: 0 for at once, nil for never.
  package private(set) var due: Int64?
  /// Whether libcurl failed without saying for which transfer: remove all transfers and call ``renew()``.
  package private(set) var hasFailed = false
  /// Whether the `CURLM *` must not be used any more.
  private var isUnusable = false
  /// Idle easy handles.
  private var idle: [EasyHandle] = []
  /// Called in the middle of a response; returns whether to end the transfer.
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

  /// Creates a handle that caches `connections` connections; returns nil without memory or descriptors.
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
  /// Starts a transfer; throws if it cannot be started, with nothing sent.
  package func start(
    _ request: Request,
    _ settings: TransferSettings,
    context: UnsafeMutableRawPointer
  ) throws(TransferFailure) -> EasyHandle {
    guard let easy = idle.popLast() ?? EasyHandle.make(self) else {
      throw TransferFailure(.internal, "out of memory", mayHaveBeenReceived: false)
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

  /// Returns a completed transfer's result and makes its handle idle.
  package func finish(_ easy: EasyHandle) -> Result<Response, TransferFailure> {
    release(easy)
    return easy.transfer.outcome(of: easy.result, easy)
  }

  /// Ends a transfer early and makes its handle idle.
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

  package func isWaiting(_ easy: EasyHandle, for socket: Int32) -> Bool {
    poller.isWatched(socket, for: easy.handle, from: easy.transfer.localPort)
  }

  /// Returns the next completed transfer, to be passed to `finish` or `stop`; nil if there is none.
  package func nextCompleted() -> EasyHandle? {
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
  /// Waits up to `milliseconds` (-1: no limit) and lets libcurl process ready sockets.
  package func wait(_ milliseconds: Int32) -> Poller.WaitResult {
    guard mark.isOfThisProcess else { return .timedOut }
    var running: Int32 = 0
    return poller.wait(milliseconds) { ready in
      guard !isUnusable else { return }
      check(curl_multi_socket_action(multi, ready.socket, ready.events, &running))
    }
  }

  /// Whether a libcurl timer has expired, as opposed to libcurl wanting to run at once.
  package func hasExpiredTimer(_ now: Int64) -> Bool {
    guard let due else { return false }
    return due > 0 && due <= now
  }

  /// Runs libcurl's timer if it is due; returns whether it was.
  package func runDue(_ now: Int64) -> Bool {
    guard mark.isOfThisProcess, !isUnusable, let due, due <= now else { return false }
    self.due = nil
    var running: Int32 = 0
    check(curl_multi_socket_action(multi, CURL_SOCKET_BAD, 0, &running))
    return true
  }

  private func check(_ result: CURLMcode) {
    guard result != CURLM_OK else { return }
    hasFailed = true
    isUnusable = true
    due = nil
  }

  /// Replaces the `CURLM *` by a new one without connections; returns false if memory ran out.
  ///
  /// After a failure libcurl may remember a closed socket, and crash when its number is reused.
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
