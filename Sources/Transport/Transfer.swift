import CCurl
import CPlatform
import Support

/// State and outcome of an easy handle's attempts, one after the other, as reported by libcurl's callbacks.
final class Transfer {
  /// Maximum size of all header lines in bytes, below libcurl's own limit for a head.
  private static let maxHeadBytes = 256 * 1024
  /// Maximum number of header lines, including trailers and interim responses.
  private static let maxHeadLines = 1000
  /// Bytes of decoded body between two calls of ``shouldStop``.
  private static let bytesPerStopCheck = 1024 * 1024
  /// Maximum number of progress callbacks between two looks at the clock while connecting.
  private static let stepsPerClockCheck = 4096

  private var maxResponseBytes = 0
  private var connectTimeoutMilliseconds = 0
  /// Deadline for connecting, in microseconds; nil until the clock is first read.
  private var connectDeadline: Int64?
  private var connectSteps = 0
  private var connectTimedOut = false
  private var body: [UInt8] = []
  private var headers = ResponseHeaders()
  private var bodyIsTooLarge = false
  private var headIsTooLarge = false
  private var codings = Codings()
  /// Whether ``shouldStop`` ended the attempt in the middle of a body, the service's or a proxy's.
  private(set) var wasStopped = false
  private var bytesSinceStopCheck = 0
  /// Called in the middle of a long body; returns whether to end the attempt.
  var shouldStop: (() -> Bool)?
  /// Whether the blank line after the final response's headers was received.
  private var hasCompleteHead = false
  /// Whether the current headers belong to an interim (1xx) response.
  private var isInterim = false
  /// Size of all header lines in bytes, including trailers.
  private var headBytes = 0
  private var headLines = 0
  /// Local port of the connection that carries the request; 0 until connected.
  private(set) var localPort: Int32 = 0
  /// Whether libcurl chose a reused connection with unsolicited input, which must not be used.
  private var hadUnsolicitedInput = false
  /// How often libcurl had a connection ready for the request.
  private var readyConnections = 0
  /// When a byte was last sent or received, in microseconds; nil until connected.
  private(set) var lastProgress: Int64?
  /// Whether to maintain ``lastProgress``: reading the clock takes time.
  private var tracksProgress = false
  /// Bytes of the request body known to be sent.
  private var sentBytes: Int64 = 0
  /// Whether HTTP/2 was negotiated for the request; nil until it is sent, or if it is not traced.
  private var isHTTP2: Bool?
  /// Whether the response has another HTTP version than was negotiated.
  private var hasUnexpectedVersion = false
  /// Whether this attempt sent TLS records on a new connection, and whether it did so to a proxy.
  private var hasSentTLS = false
  private var hasSecureProxy = false
  /// The request's HTTP/2 stream, if the connection is traced.
  private var stream = StreamTrace()
  private var isTraced = false
  private let goAwayTracker: GoAwayTracker
  private let poller: Poller
  /// The `CURL *` of the easy handle that owns this object.
  private var handle: UnsafeMutableRawPointer?

  /// Whether the host paused for so long that the server may have timed out.
  private var hostWasPaused = false
  /// Diagnostics of the connections opened for the attempt; nil if there were none.
  private(set) var diagnostics: ConnectionDiagnostics?
  /// Whether the attempt failed because file descriptors ran out.
  private(set) var ranOutOfDescriptors = false

  init(_ goAwayTracker: GoAwayTracker, _ poller: Poller) {
    self.goAwayTracker = goAwayTracker
    self.poller = poller
  }

  /// Whether libcurl tried to resend the request by itself.
  var wantedRetry: Bool { readyConnections > 1 || stream.wasRetried || stream.needsHTTP1 }

  /// Whether the server said that it did not process the request.
  private var isRefused: Bool { headBytes == 0 && goAwayTracker.refuses(stream) }

  /// Whether the request may have reached the service.
  var mayHaveBeenReceived: Bool { readyConnections > 0 && !isRefused }

  /// Resets the state for a new attempt.
  func begin(_ settings: TransferSettings) {
    maxResponseBytes = settings.maxResponseBytes
    connectTimeoutMilliseconds = settings.connectTimeoutMilliseconds
    tracksProgress = settings.tracksProgress
    lastProgress = nil
    connectDeadline = nil
    connectSteps = 0
    connectTimedOut = false
    sentBytes = 0
    discardResponse()
    bodyIsTooLarge = false
    headIsTooLarge = false
    codings = Codings()
    wasStopped = false
    bytesSinceStopCheck = 0
    hasCompleteHead = false
    isInterim = false
    headBytes = 0
    headLines = 0
    localPort = 0
    hadUnsolicitedInput = false
    readyConnections = 0
    isHTTP2 = settings.baseURL.isSecure ? nil : false
    hasUnexpectedVersion = false
    hasSentTLS = false
    hasSecureProxy = false
    stream = StreamTrace()
    hostWasPaused = false
    diagnostics = nil
    ranOutOfDescriptors = false
  }

  /// Returns the diagnostics for a connection opened by this attempt, created on first use.
  func makeDiagnostics() -> ConnectionDiagnostics {
    let diagnostics = self.diagnostics ?? ConnectionDiagnostics()
    self.diagnostics = diagnostics
    return diagnostics
  }

  /// Records a pause of the host, which says nothing about the server.
  func recordPause(until now: Int64, isLong: Bool) {
    if isLong { hostWasPaused = true }
    if lastProgress != nil { lastProgress = now }
  }

  /// Records how much of the body has been sent.
  func recordSent(bytes: Int64, at now: Int64) {
    guard lastProgress != nil, bytes > sentBytes else { return }
    sentBytes = bytes
    lastProgress = now
  }

  private func recordProgress() {
    if tracksProgress { lastProgress = MonotonicClock.now }
  }
}

// MARK: - Callbacks

extension Transfer {
  /// Installs the callbacks on the easy handle that owns this object.
  func attach(to options: inout OptionList) {
    isTraced = false
    handle = options.handle
    let context = Unmanaged.passUnretained(self).toOpaque()
    options.set(write: { bytes, size, count, context in
      guard let transfer = Transfer.from(context) else { return 0 }
      return transfer.receive(UnsafeRawBufferPointer(start: bytes, count: size &* count))
    })
    options.set(CURLOPT_WRITEDATA, pointer: context)
    options.set(header: { line, size, count, context in
      guard let transfer = Transfer.from(context) else { return 0 }
      return transfer.receive(headerLine: UnsafeRawBufferPointer(start: line, count: size &* count))
    })
    options.set(CURLOPT_HEADERDATA, pointer: context)
    options.set(prereq: { context, remote, local, remotePort, localPort in
      guard let transfer = Transfer.from(context) else { return CURL_PREREQFUNC_ABORT }
      return transfer.connectionIsReady(
        from: localPort,
        named: ConnectionName(remote, remotePort, local, localPort)
      )
    })
    options.set(CURLOPT_PREREQDATA, pointer: context)
  }

  /// Installs the trace, libcurl's only report of the negotiated version and of HTTP/2 stream events.
  func attachTrace(to options: inout OptionList) {
    isTraced = true
    options.set(CURLOPT_DEBUGDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
    options.set(debug: { _, type, text, size, context in
      guard let transfer = Transfer.from(context) else { return 0 }
      let text = UnsafeRawBufferPointer(start: text, count: size)
      switch type {
      case CURLINFO_TEXT: transfer.stream.parse(text, transfer.goAwayTracker)
      case CURLINFO_HEADER_OUT: transfer.recordRequest(text)
      case CURLINFO_SSL_DATA_OUT: transfer.hasSentTLS = true
      default: break
      }
      return 0
    })
    options.set(CURLOPT_VERBOSE, 1)
  }

  /// Records the headers of a request, the attempt's own or a proxy's CONNECT.
  private func recordRequest(_ head: UnsafeRawBufferPointer) {
    let line = head.prefix { $0 != UInt8(ascii: "\r") }
    if line.starts(with: "CONNECT ".utf8) {
      hasSecureProxy = hasSentTLS
    } else {
      isHTTP2 = line.suffix(7).elementsEqual(" HTTP/2".utf8)
    }
  }

  /// Ends a transfer that takes too long to connect.
  ///
  /// libcurl checks its own timeout only while it waits, not while it reads the body of a proxy's refusal.
  func attachClock(to options: inout OptionList) {
    options.set(CURLOPT_XFERINFODATA, pointer: Unmanaged.passUnretained(self).toOpaque())
    options.set(progress: { context, _, _, _, _ in
      Transfer.from(context)?.shouldContinue() == false ? 1 : 0
    })
    options.set(CURLOPT_NOPROGRESS, 0)
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Whether the transfer is connected or still has time to connect.
  private func shouldContinue() -> Bool {
    guard readyConnections == 0 else { return true }
    connectSteps += 1
    guard connectSteps % Transfer.stepsPerClockCheck == 0 else { return true }
    guard shouldStop?() != true else {
      wasStopped = true
      return false
    }
    let now = MonotonicClock.now
    guard let end = connectDeadline else {
      connectDeadline = now + Int64(connectTimeoutMilliseconds) * 1000
      return true
    }
    connectTimedOut = now >= end
    return !connectTimedOut
  }

  /// Receives decompressed body bytes; returning anything but their count ends the transfer.
  private func receive(_ piece: UnsafeRawBufferPointer) -> Int {
    guard piece.count <= maxResponseBytes - body.count else {
      bodyIsTooLarge = true
      return 0
    }
    recordProgress()
    bytesSinceStopCheck += piece.count
    if bytesSinceStopCheck >= Transfer.bytesPerStopCheck {
      bytesSinceStopCheck = 0
      guard shouldStop?() != true else {
        wasStopped = true
        return 0
      }
    }
    body.append(contentsOf: piece)
    return piece.count
  }

  /// Receives a header line; returning anything but its size ends the transfer.
  ///
  /// Tracks whether the head is complete, because libcurl accepts a head cut off by the end of the connection, and
  /// limits the size, because libcurl does not limit trailers.
  private func receive(headerLine line: UnsafeRawBufferPointer) -> Int {
    guard line.count <= Transfer.maxHeadBytes - headBytes, headLines < Transfer.maxHeadLines else {
      headIsTooLarge = true
      return 0
    }
    recordProgress()
    headBytes += line.count
    headLines += 1
    // A final response may follow an interim one.
    if line.first == UInt8(ascii: "H"), line.starts(with: "HTTP/".utf8) {
      hasCompleteHead = false
      let isHTTP1 = line.starts(with: "HTTP/1.".utf8)
      if let isHTTP2, isHTTP2 == isHTTP1 {
        hasUnexpectedVersion = true
        return 0
      }
      if isHTTP1, localPort != 0 {
        poller.recordHTTP1Response(from: localPort, hidesInput: hasSecureProxy)
      }
      isInterim = line.drop { $0 != UInt8(ascii: " ") }.dropFirst().first == UInt8(ascii: "1")
      headers = ResponseHeaders()
    } else if line.count <= 2, line.last == UInt8(ascii: "\n") {
      hasCompleteHead = !isInterim
    } else if !hasCompleteHead {
      codings.parse(line)
      guard codings.fault == nil else { return 0 }
      headers.append(line)
    }
    return line.count
  }

  /// Allows the attempt's first connection and no other; any result but OK ends the transfer.
  ///
  /// libcurl resends a request by itself, even a POST, when a reused connection dies before the first response byte.
  /// Whether to retry is the caller's decision.
  func connectionIsReady(
    from localPort: Int32,
    named name: @autoclosure () -> ConnectionName
  ) -> Int32 {
    if readyConnections == 0 {
      guard !poller.mayHaveUnsolicitedInput(from: localPort, hasPending: hasPendingBytes) else {
        hadUnsolicitedInput = true
        return CURL_PREREQFUNC_ABORT
      }
      self.localPort = localPort
      if isTraced { stream.connection = name() }
    }
    readyConnections += 1
    recordProgress()
    return readyConnections == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
  }

  /// Whether the TLS library holds unread bytes of the connection.
  ///
  /// libcurl reads no more than the body's length; what follows in the same TLS record stays there.
  private func hasPendingBytes() -> Bool {
    guard let handle, let session = argyle_curl_openssl_session(handle) else { return false }
    return argyle_openssl_has_pending(argyle_curl_address(), session) != 0
  }
}

// MARK: - Outcome

extension Transfer {
  /// Returns the result of a completed attempt.
  func outcome(of result: CURLcode, _ easy: EasyHandle) -> Result<Response, TransferFailure> {
    // An idle handle must not keep the last response in memory.
    defer { discardResponse() }
    if hadUnsolicitedInput {
      return .failure(
        TransferFailure(
          .connection,
          "the server sent unsolicited bytes on an idle connection",
          mayHaveBeenReceived: false,
          hadUnsolicitedInput: true,
          milliseconds: Int(easy.times.ended / 1000)
        )
      )
    }
    let head = hasCompleteHead ? head(easy) : nil
    let times = easy.times
    if result != CURLE_OK, stream.number > 0 { easy.invalidateSettings() }
    if stream.mayBeRefused, headBytes == 0, easy.takeRefusal() { stream.recordRefusal() }
    if isRefused {
      return .failure(
        TransferFailure(
          .connection,
          "the server refused the request without processing it",
          mayHaveBeenReceived: false,
          wasRefused: true,
          milliseconds: Int(times.ended / 1000)
        )
      )
    }
    guard result == CURLE_OK else { return .failure(failure(result, head, times, easy)) }
    guard let head else {
      return .failure(
        TransferFailure(
          .connection,
          "the connection was closed within the response headers",
          mayHaveBeenReceived: true,
          hostWasPaused: hostWasPaused
        )
      )
    }
    return .success(Response(head: head, body: body))
  }

  /// Returns the failure of an attempt that the caller stopped.
  func outcome(_ kind: TransferFailure.Kind, _ reason: String) -> TransferFailure {
    discardResponse()
    return TransferFailure(
      kind,
      reason,
      mayHaveBeenReceived: mayHaveBeenReceived,
      hostWasPaused: hostWasPaused
    )
  }

  private func discardResponse() {
    body = []
    headers = ResponseHeaders()
  }

  private func head(_ easy: EasyHandle) -> ResponseHead? {
    var status = 0
    guard argyle_curl_get_long(easy.handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK else {
      return nil
    }
    return ResponseHead(status: status, headers: headers, receivedAt: Int64(time(nil)))
  }

  private func failure(
    _ result: CURLcode,
    _ head: ResponseHead?,
    _ times: TransferTimes,
    _ easy: EasyHandle
  ) -> TransferFailure {
    if bodyIsTooLarge {
      let reason = "the response is larger than max_response_bytes (\(maxResponseBytes))"
      return TransferFailure(
        .tooLarge,
        reason,
        mayHaveBeenReceived: mayHaveBeenReceived,
        head: head
      )
    }
    if hasUnexpectedVersion {
      let reason = "the response has a different HTTP version than the connection"
      return TransferFailure(.protocolViolation, reason, mayHaveBeenReceived: true)
    }
    if let fault = codings.fault {
      return TransferFailure(.protocolViolation, fault, mayHaveBeenReceived: mayHaveBeenReceived)
    }
    // libcurl reports a header line beyond its limit as out of memory. Before a response begins, memory did run out.
    let lineIsTooLong =
      result == CURLE_OUT_OF_MEMORY && mayHaveBeenReceived && !hasCompleteHead
      && times.answerBegan > 0
    if headIsTooLarge || lineIsTooLong {
      let reason =
        "the response headers exceed \(Transfer.maxHeadLines) lines or \(Transfer.maxHeadBytes) bytes"
      return TransferFailure(.tooLarge, reason, mayHaveBeenReceived: true, head: head)
    }
    if connectTimedOut {
      return TransferFailure(
        .timeout,
        connectTimeoutReason,
        mayHaveBeenReceived: false,
        hostWasPaused: hostWasPaused
      )
    }
    if stream.needsHTTP1 {
      return TransferFailure(
        .connection,
        "the server reset the stream of the request: it requires HTTP/1.1",
        mayHaveBeenReceived: true
      )
    }
    if let option = diagnostics?.irregularOption {
      let reason = "\(option) must be a regular file"
      return TransferFailure(.tls, reason, mayHaveBeenReceived: mayHaveBeenReceived)
    }
    if readyConnections > 1 {
      return TransferFailure(
        .connection,
        "the reused connection was closed before a response arrived",
        mayHaveBeenReceived: true,
        keptConnectionWasDead: true,
        milliseconds: Int(times.ended / 1000)
      )
    }
    let message = easy.errorMessage
    if result == CURLE_SSL_CONNECT_ERROR, Transfer.meansConnectionLost(message) {
      return TransferFailure(
        .connection,
        "the connection was lost in the TLS handshake",
        mayHaveBeenReceived: mayHaveBeenReceived,
        hostWasPaused: hostWasPaused
      )
    }
    let kind = TransferFailure.Kind(result)
    ranOutOfDescriptors = descriptorShortage(explains: result, kind)
    if ranOutOfDescriptors {
      return TransferFailure(
        .internal,
        Descriptors.reason,
        mayHaveBeenReceived: mayHaveBeenReceived
      )
    }
    // The message may contain the proxy's credentials, which may come from the environment.
    var detail: String? =
      (message.isEmpty ? String(cString: curl_easy_strerror(result)) : message).redactingUserInfo
    var reason = ""
    if message.utf8.starts(with: "Unsupported proxy".utf8) {
      (reason, detail) = ("libcurl does not support this proxy URL", nil)
    } else if !mayHaveBeenReceived, result == CURLE_OPERATION_TIMEDOUT {
      // It is libcurl's only timeout; its message says how far it got.
      reason = connectTimeoutReason
    } else if !mayHaveBeenReceived, let refusal = Transfer.proxyRefusal(easy) {
      (reason, detail) = (refusal, nil)
    } else if !mayHaveBeenReceived, result == CURLE_RECV_ERROR {
      // At this point only a proxy is read from without TLS.
      reason = "\(Transfer.proxyName(easy)) failed"
    }
    let isBroken =
      result == CURLE_RECV_ERROR && hasCompleteHead && easy.errorIsChunkedEncoding
      || result == CURLE_HTTP2_STREAM && easy.errorIsInvalidFrame
    return TransferFailure(
      isBroken ? .protocolViolation : kind,
      reason,
      detail: detail,
      mayHaveBeenReceived: mayHaveBeenReceived,
      hostWasPaused: hostWasPaused
    )
  }
}

extension Transfer {
  private var connectTimeoutReason: String {
    "no connection within connect_timeout_ms (\(connectTimeoutMilliseconds))"
  }

  /// Returns the message for a proxy's refusal; nil if it did not refuse, or not with a status.
  private static func proxyRefusal(_ easy: EasyHandle) -> String? {
    let status = easy.proxyStatus
    guard status != 0, !(200..<300).contains(status) else { return nil }
    return "\(proxyName(easy)) refused the connection with status \(status)"
  }

  private static func proxyName(_ easy: EasyHandle) -> String {
    easy.peer.map { "the proxy at \($0)" } ?? "the proxy"
  }

  /// Whether a lack of file descriptors explains the failure.
  ///
  /// libcurl does not report why it could not read a certificate or resolve a name.
  private func descriptorShortage(explains result: CURLcode, _ kind: TransferFailure.Kind) -> Bool {
    if result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY {
      // Two that libcurl has closed by now, and one for the C library.
      return !Descriptors.canOpen(3)
    }
    guard let diagnostics else { return false }
    return diagnostics.ranOutOfDescriptors || kind == .tls && diagnostics.ranOutOnClose
  }

  /// Whether libcurl's message about a failed TLS handshake means a lost connection.
  ///
  /// libcurl uses one result for that, which is transient, and for an untrusted server, which is not. Unknown messages
  /// count as an untrusted server.
  private static func meansConnectionLost(_ message: String) -> Bool {
    let text = message.utf8
    // The third appears only if OpenSSL reports no error.
    return text.starts(with: "Recv failure: ".utf8) || text.starts(with: "Send failure: ".utf8)
      || text.starts(with: "OpenSSL SSL_connect: ".utf8)
      || text.reversed().starts(with: "unexpected eof while reading".utf8.reversed())
  }
}

extension TransferFailure.Kind {
  /// Maps a libcurl result other than success.
  fileprivate init(_ result: CURLcode) {
    self =
      switch result {
      case CURLE_OPERATION_TIMEDOUT:
        .timeout
      // The last two mean that the server closed an HTTP/2 connection or stream.
      case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
        CURLE_PROXY, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE,
        CURLE_HTTP2, CURLE_HTTP2_STREAM:
        .connection
      case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
        CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_SHUTDOWN_FAILED,
        CURLE_SSL_CRL_BADFILE,
        CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
        CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS,
        CURLE_SSL_CLIENTCERT, CURLE_USE_SSL_FAILED:
        .tls
      case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_HTTP3,
        CURLE_BAD_CONTENT_ENCODING, CURLE_WRITE_ERROR:
        .protocolViolation
      default:
        .internal
      }
  }
}
