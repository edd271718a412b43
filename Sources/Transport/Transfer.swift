import CCurl
import CPlatform
import Support

/// One attempt after the other of an easy handle: what libcurl's callbacks gather, and what its end means.
final class Transfer {
  /// The most bytes of header lines: less than libcurl's own bound for a head.
  private static let maxHeadBytes = 256 * 1024
  /// The most header lines, trailers and those of interim answers included.
  private static let maxHeadLines = 1000
  /// The bytes of decoded body between two questions whether the attempt is to end.
  private static let bytesPerStopCheck = 1024 * 1024
  /// Maximum number of steps of a connection between two looks at the clock.
  private static let stepsPerClockCheck = 4096

  private var maxResponseBytes = 0
  private var connectTimeoutMilliseconds = 0
  /// When the connection has to stand, in microseconds; nil until the clock is looked at.
  private var connectDeadline: Int64?
  private var connectSteps = 0
  private var connectTimedOut = false
  private var body: [UInt8] = []
  private var headers = ResponseHeaders()
  private var bodyIsTooLarge = false
  private var headIsTooLarge = false
  private var codings = Codings()
  /// Whether the attempt was ended in the middle of the body, the service's or a proxy's.
  private(set) var wasStopped = false
  private var bytesSinceStopCheck = 0
  /// Asked in the middle of a long body.
  var shouldStop: (() -> Bool)?
  /// Whether the blank line after the headers of the answer has come.
  private var hasCompleteHead = false
  /// Whether the headers that come are those of an interim answer, after which the answer is still to come.
  private var isInterim = false
  /// The bytes of all header lines, trailers included.
  private var headBytes = 0
  private var headLines = 0
  /// The port on this side of the connection that the request goes to; 0 until it stands.
  private(set) var localPort: Int32 = 0
  /// Whether the kept connection that libcurl chose was not to be used.
  private var hadUnsolicitedInput = false
  /// How often a connection stood ready for the request.
  private var readyConnections = 0
  /// When a byte was last seen to come or go, in microseconds; nil until the connection stands.
  private(set) var lastProgress: Int64?
  /// Whether ``lastProgress`` is wanted, for looking at the clock takes time.
  private var tracksProgress = false
  /// The bytes of the body that were seen to go.
  private var sentBytes: Int64 = 0
  /// Whether the request was sent as HTTP/2, which was negotiated then; nil until it is, and where that is not traced.
  private var isHTTP2: Bool?
  /// Whether the headers that come are of another version of HTTP than was negotiated.
  private var hasUnexpectedVersion = false
  /// Whether TLS was spoken on a connection that the attempt has opened, and whether with a proxy.
  private var hasSentTLS = false
  private var hasSecureProxy = false
  /// The request's HTTP/2 stream, where the connection is traced.
  private var stream = StreamTrace()
  private var isTraced = false
  private let endedConnections: EndedConnections
  private let poller: Poller
  /// libcurl's handle of the easy handle that owns this.
  private var handle: UnsafeMutableRawPointer?

  /// Whether nobody drove the queue for so long that the server may have lost patience.
  private var hostWasPaused = false
  /// What was noted where connections were opened for the attempt; nil where none was.
  private(set) var diagnostics: ConnectionDiagnostics?
  /// Whether the attempt failed because the process could open no descriptor.
  private(set) var ranOutOfDescriptors = false

  init(_ endedConnections: EndedConnections, _ poller: Poller) {
    self.endedConnections = endedConnections
    self.poller = poller
  }

  /// Whether libcurl wanted to send the request again.
  var wantedRetry: Bool { readyConnections > 1 || stream.wasRetried || stream.needsHTTP1 }

  /// Whether the server has said that it did not process the request.
  private var isRefused: Bool { headBytes == 0 && endedConnections.refuses(stream) }

  /// Whether the request may have reached the service.
  var mayHaveBeenReceived: Bool { readyConnections > 0 && !isRefused }

  /// Starts anew.
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

  /// Where to note what happens to a connection that is opened for the attempt.
  func makeDiagnostics() -> ConnectionDiagnostics {
    let diagnostics = self.diagnostics ?? ConnectionDiagnostics()
    self.diagnostics = diagnostics
    return diagnostics
  }

  /// Notes that nobody drove the queue for a while, which says nothing of the server.
  func notePause(until now: Int64, isLong: Bool) {
    if isLong { hostWasPaused = true }
    if lastProgress != nil { lastProgress = now }
  }

  /// Notes how much of the body was sent until now.
  func noteSent(bytes: Int64, at now: Int64) {
    guard lastProgress != nil, bytes > sentBytes else { return }
    sentBytes = bytes
    lastProgress = now
  }

  private func noteProgress() {
    if tracksProgress { lastProgress = MonotonicClock.now }
  }
}

// MARK: - Callbacks

extension Transfer {
  /// Lets the easy handle that owns this report to it.
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

  /// Lets libcurl tell what was negotiated, and what happens to HTTP/2 streams, which it tells in no other way.
  func attachTrace(to options: inout OptionList) {
    isTraced = true
    options.set(CURLOPT_DEBUGDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
    options.set(debug: { _, type, text, size, context in
      guard let transfer = Transfer.from(context) else { return 0 }
      let text = UnsafeRawBufferPointer(start: text, count: size)
      switch type {
      case CURLINFO_TEXT: transfer.stream.note(text, transfer.endedConnections)
      case CURLINFO_HEADER_OUT: transfer.noteRequest(text)
      case CURLINFO_SSL_DATA_OUT: transfer.hasSentTLS = true
      default: break
      }
      return 0
    })
    options.set(CURLOPT_VERBOSE, 1)
  }

  /// Notes the headers of a request, the attempt's or one to a proxy.
  private func noteRequest(_ head: UnsafeRawBufferPointer) {
    let line = head.prefix { $0 != UInt8(ascii: "\r") }
    if line.starts(with: "CONNECT ".utf8) {
      hasSecureProxy = hasSentTLS
    } else {
      isHTTP2 = line.suffix(7).elementsEqual(" HTTP/2".utf8)
    }
  }

  /// Ends a transfer whose connection takes too long.
  ///
  /// libcurl looks at its own time only where it waits, and not while it reads the body of a proxy's refusal.
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

  /// Whether there is time left to connect, or nothing to wait for any more.
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

  /// Takes in a piece of the body, already decompressed; another number than its size ends the transfer.
  private func receive(_ piece: UnsafeRawBufferPointer) -> Int {
    guard piece.count <= maxResponseBytes - body.count else {
      bodyIsTooLarge = true
      return 0
    }
    noteProgress()
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

  /// Takes in a header line; another number than its size ends the transfer.
  ///
  /// It notes whether the head is whole, for libcurl takes one that ends with the connection for an answer, and it
  /// bounds the size, for libcurl does not bound trailers.
  private func receive(headerLine line: UnsafeRawBufferPointer) -> Int {
    guard line.count <= Transfer.maxHeadBytes - headBytes, headLines < Transfer.maxHeadLines else {
      headIsTooLarge = true
      return 0
    }
    noteProgress()
    headBytes += line.count
    headLines += 1
    // The final answer may follow an interim one.
    if line.first == UInt8(ascii: "H"), line.starts(with: "HTTP/".utf8) {
      hasCompleteHead = false
      let isHTTP1 = line.starts(with: "HTTP/1.".utf8)
      if let isHTTP2, isHTTP2 == isHTTP1 {
        hasUnexpectedVersion = true
        return 0
      }
      if isHTTP1, localPort != 0 {
        poller.noteHTTP1Answer(from: localPort, hidesInput: hasSecureProxy)
      }
      isInterim = line.drop { $0 != UInt8(ascii: " ") }.dropFirst().first == UInt8(ascii: "1")
      headers = ResponseHeaders()
    } else if line.count <= 2, line.last == UInt8(ascii: "\n") {
      hasCompleteHead = !isInterim
    } else if !hasCompleteHead {
      codings.note(line)
      guard codings.fault == nil else { return 0 }
      headers.append(line)
    }
    return line.count
  }

  /// Lets the attempt's first connection be used, and no other; an answer other than OK ends the transfer.
  ///
  /// libcurl sends a request again by itself, a POST too, when a kept connection dies before the first byte of
  /// the answer. Whether to send again is for the call to decide.
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
    noteProgress()
    return readyConnections == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
  }

  /// Whether the TLS library holds bytes of the connection: libcurl reads no more of a body than it is long, and what
  /// follows in the same record stays there.
  private func hasPendingBytes() -> Bool {
    guard let handle, let session = argyle_curl_openssl_session(handle) else { return false }
    return argyle_openssl_has_pending(argyle_curl_address(), session) != 0
  }
}

// MARK: - Outcome

extension Transfer {
  /// What the attempt has brought.
  func outcome(of result: CURLcode, _ easy: EasyHandle) -> Result<Response, TransferFailure> {
    // An idle handle is not to hold on to the last answer.
    defer { discardResponse() }
    if hadUnsolicitedInput {
      return .failure(
        TransferFailure(
          .connection,
          "the kept connection brought bytes that were not asked for",
          mayHaveBeenReceived: false,
          hadUnsolicitedInput: true,
          milliseconds: Int(easy.times.ended / 1000)
        )
      )
    }
    let head = hasCompleteHead ? head(easy) : nil
    let times = easy.times
    if result != CURLE_OK, stream.number > 0 { easy.invalidateSettings() }
    if stream.mayBeRefused, headBytes == 0, easy.wasRefused() { stream.noteRefusal() }
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
          "the connection was closed within the headers of the answer",
          mayHaveBeenReceived: true,
          hostWasPaused: hostWasPaused
        )
      )
    }
    return .success(Response(head: head, body: body))
  }

  /// What an attempt has brought that is ended from outside.
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
      let reason = "the answer is larger than max_response_bytes (\(maxResponseBytes))"
      return TransferFailure(
        .tooLarge,
        reason,
        mayHaveBeenReceived: mayHaveBeenReceived,
        head: head
      )
    }
    if hasUnexpectedVersion {
      let reason = "the answer is of another version of HTTP than the connection"
      return TransferFailure(.protocolViolation, reason, mayHaveBeenReceived: true)
    }
    if let fault = codings.fault {
      return TransferFailure(.protocolViolation, fault, mayHaveBeenReceived: mayHaveBeenReceived)
    }
    // libcurl calls a header line that is longer than its bound a want of memory. Before the answer, it is one.
    let lineIsTooLong =
      result == CURLE_OUT_OF_MEMORY && mayHaveBeenReceived && !hasCompleteHead
      && times.answerBegan > 0
    if headIsTooLarge || lineIsTooLong {
      let reason =
        "the headers of the answer are more than \(Transfer.maxHeadLines) lines or \(Transfer.maxHeadBytes) bytes"
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
        "the server has reset the stream of the request: it requires HTTP/1.1",
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
        "the kept connection was closed before an answer came",
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
    // The proxy's, which the environment may have given.
    var detail: String? =
      (message.isEmpty ? String(cString: curl_easy_strerror(result)) : message).redactingUserInfo
    var reason = ""
    if message.utf8.starts(with: "Unsupported proxy".utf8) {
      (reason, detail) = ("the proxy's URL is one that libcurl does not understand", nil)
    } else if !mayHaveBeenReceived, result == CURLE_OPERATION_TIMEDOUT {
      // libcurl watches no other time, and says how far it came.
      reason = connectTimeoutReason
    } else if !mayHaveBeenReceived, let refusal = Transfer.proxyRefusal(easy) {
      (reason, detail) = (refusal, nil)
    } else if !mayHaveBeenReceived, result == CURLE_RECV_ERROR {
      // Nobody else is read from in clear by then.
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

  /// What to say where the proxy does not let the request through; nil where it does, or has not said so.
  private static func proxyRefusal(_ easy: EasyHandle) -> String? {
    let status = easy.proxyStatus
    guard status != 0, !(200..<300).contains(status) else { return nil }
    return "\(proxyName(easy)) refused the connection with status \(status)"
  }

  private static func proxyName(_ easy: EasyHandle) -> String {
    easy.peer.map { "the proxy at \($0)" } ?? "the proxy"
  }

  /// Whether the process could not open what the attempt needed.
  ///
  /// libcurl does not tell why it could not read a certificate, nor why a name was not found.
  private func descriptorShortage(explains result: CURLcode, _ kind: TransferFailure.Kind) -> Bool {
    if result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY {
      // Two that libcurl has closed by now, and one for the C library.
      return !Descriptors.canOpen(3)
    }
    guard let diagnostics else { return false }
    return diagnostics.ranOutOfDescriptors || kind == .tls && diagnostics.ranOutOnClose
  }

  /// Whether libcurl's message on a TLS handshake that failed says that the connection was lost.
  ///
  /// It has one result for that and for a server that cannot be trusted, only one of which may pass. With words that
  /// are not known here, the server is taken for the cause.
  private static func meansConnectionLost(_ message: String) -> Bool {
    let text = message.utf8
    // The third is said only where OpenSSL names no error.
    return text.starts(with: "Recv failure: ".utf8) || text.starts(with: "Send failure: ".utf8)
      || text.starts(with: "OpenSSL SSL_connect: ".utf8)
      || text.reversed().starts(with: "unexpected eof while reading".utf8.reversed())
  }
}

extension TransferFailure.Kind {
  /// What one of libcurl's results, other than success, stands for.
  fileprivate init(_ result: CURLcode) {
    self =
      switch result {
      case CURLE_OPERATION_TIMEDOUT:
        .timeout
      // The last two are for a connection and a stream of HTTP/2 that the server has ended.
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
