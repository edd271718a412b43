import CCurl

/// An easy handle with a multi handle of its own, used by one thread at a time: the blocking way to make an
/// attempt.
///
/// The multi handle, and not `curl_easy_perform`, because its wait ends early when a signal has interrupted it or
/// another thread wakes it. It also holds the connections that are kept.
final class Connection {
  private let easy: EasyHandle
  private let multi: UnsafeMutableRawPointer

  /// The most that one wait may last, in milliseconds; libcurl shortens it to its own next time-out.
  private static let longestWait: Int32 = 60_000

  /// Makes handles; nil where memory ran out.
  init?() {
    guard let easy = EasyHandle() else { return nil }
    guard let multi = curl_multi_init() else { return nil }
    self.easy = easy
    self.multi = multi
  }

  deinit {
    curl_multi_cleanup(multi)
  }

  /// Makes one attempt and waits for its end.
  func send(_ request: Request, _ settings: TransferSettings) -> CallMachine.Event {
    let transfer = Transfer(maxResponseBytes: settings.maxResponseBytes)
    var result = easy.prepare(request, settings, transfer)
    if result == CURLE_OK { result = run() }
    return transfer.outcome(of: result, easy)
  }

  private func run() -> CURLcode {
    guard curl_multi_add_handle(multi, easy.handle) == CURLM_OK else { return CURLE_FAILED_INIT }
    defer { curl_multi_remove_handle(multi, easy.handle) }
    var running: Int32 = 1
    while true {
      guard curl_multi_perform(multi, &running) == CURLM_OK else { return CURLE_FAILED_INIT }
      if running == 0 { break }
      guard curl_multi_poll(multi, nil, 0, Connection.longestWait, nil) == CURLM_OK else {
        return CURLE_FAILED_INIT
      }
    }
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      if message.pointee.msg == CURLMSG_DONE { return argyle_curl_message_result(message) }
    }
    return CURLE_FAILED_INIT
  }
}
