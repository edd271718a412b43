import CCurl

/// One of libcurl's multi handles: the transfers that run in it, and the connections that it keeps.
///
/// It is driven by libcurl's socket interface, so that all it waits for stands behind the one descriptor of a
/// ``Poller``.
final class MultiHandle {
  /// The sockets, the timer and the wake-up.
  let poller: Poller
  /// The connections whose end the server has announced.
  let endedConnections = EndedConnections()

  private let multi: UnsafeMutableRawPointer
  let mark: ProcessMark
  /// When libcurl wants to be called, in microseconds: 0 for at once, nil for not at all.
  private(set) var due: Int64?

  private init(_ poller: Poller, _ multi: UnsafeMutableRawPointer, _ mark: ProcessMark) {
    self.mark = mark
    self.poller = poller
    self.multi = multi
  }

  /// Makes a handle that keeps so many connections; nil where memory or descriptors ran out.
  static func make(connections: Int, _ mark: ProcessMark) -> MultiHandle? {
    guard let poller = Poller.make(mark), let multi = curl_multi_init() else { return nil }
    let handle = MultiHandle(poller, multi, mark)
    return handle.configure(connections) == CURLM_OK ? handle : nil
  }

  deinit {
    // In a forked child, closing these connections would end the parent's TLS sessions.
    if mark.isOfThisProcess { curl_multi_cleanup(multi) }
  }

  private func configure(_ connections: Int) -> CURLMcode {
    let context = Unmanaged.passUnretained(self).toOpaque()
    let results = [
      argyle_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connections),
      argyle_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context),
      argyle_curl_multi_set_socket_function(multi) { _, socket, what, context, _ in
        MultiHandle.from(context)?.poller.watch(socket, what)
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
  /// Starts a transfer that was prepared.
  func add(_ easy: EasyHandle) -> Bool {
    curl_multi_add_handle(multi, easy.handle) == CURLM_OK
  }

  /// Takes a transfer out, ended or not.
  func remove(_ easy: EasyHandle) {
    curl_multi_remove_handle(multi, easy.handle)
  }

  /// The next transfer that has ended, with libcurl's result.
  func nextEnded() -> (easy: EasyHandle, result: CURLcode)? {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
        let easy = EasyHandle.from(handle)
      else { continue }
      return (easy, argyle_curl_message_result(message))
    }
    return nil
  }
}

// MARK: - Driving

extension MultiHandle {
  /// Waits for ready sockets, at most so many milliseconds (-1 for ever), and lets libcurl work on them.
  func wait(_ milliseconds: Int32) -> Poller.End {
    var running: Int32 = 0
    return poller.wait(milliseconds) { ready in
      curl_multi_socket_action(multi, ready.socket, ready.events, &running)
    }
  }

  /// Lets libcurl do what is due, and tells whether anything was.
  func runDue(_ now: Int64) -> Bool {
    guard let due, due <= now else { return false }
    self.due = nil
    var running: Int32 = 0
    curl_multi_socket_action(multi, CURL_SOCKET_BAD, 0, &running)
    return true
  }
}
