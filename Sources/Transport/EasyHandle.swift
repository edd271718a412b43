import CCurl
import CPlatform
import Support

/// One of libcurl's easy handles, with the memory that it needs for as long as it lives.
///
/// What all requests of a client have in common is set once: setting it anew for each would cost as much as the
/// rest of a request does here.
package final class EasyHandle {
  private(set) var handle: UnsafeMutableRawPointer
  /// Whether nothing was set yet.
  private var isNew = true
  /// The attempt that the handle is making or has made.
  let transfer: Transfer
  /// What whoever started the transfer wants to find again.
  package internal(set) var context: UnsafeMutableRawPointer?
  /// What libcurl said of the transfer that has ended.
  var result = CURLE_OK
  private var hasBody = false

  private let poller: Poller
  private let errorText: UnsafeMutablePointer<CChar>
  private let mark: ProcessMark
  /// What the handle is set up for.
  private var settings: TransferSettings?
  private var method: Request.Method?
  /// Where the URL is put together, with a NUL at its end.
  private var url: [UInt8] = []

  /// Makes a handle for the transfers of a multi handle; nil where memory ran out.
  static func make(_ multi: MultiHandle) -> EasyHandle? {
    // Not in the initialiser: Embedded Swift leaks an object whose initialiser fails before all of it is set.
    curl_easy_init().map { EasyHandle($0, multi) }
  }

  private init(_ handle: UnsafeMutableRawPointer, _ multi: MultiHandle) {
    self.handle = handle
    poller = multi.poller
    mark = multi.mark
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.pointee = 0
    transfer = Transfer(multi.endedConnections, poller)
    transfer.shouldStop = { [unowned(unsafe) self, unowned(unsafe) multi] in
      multi.shouldStop?(self) ?? false
    }
  }

  deinit {
    guard mark.isOfThisProcess else { return }
    curl_easy_cleanup(handle)
    errorText.deallocate()
  }

  /// The object of a handle of libcurl's.
  static func from(_ handle: UnsafeMutableRawPointer) -> EasyHandle? {
    var context: UnsafeMutableRawPointer?
    guard argyle_curl_get_pointer(handle, CURLINFO_PRIVATE, &context) == CURLE_OK else {
      return nil
    }
    return context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
  }

  /// What libcurl said of the last failure; empty where it said nothing.
  var errorMessage: String { String(cString: errorText) }

  /// Whether the error is about an HTTP/2 answer that breaks the protocol, and not a stream that the server has reset.
  ///
  /// libcurl 8 says so. libcurl 7 says the same of both.
  var errorIsInvalidFrame: Bool {
    strstr(errorText, "received invalid frame") != nil || strstr(errorText, "reset by curl") != nil
  }

  /// Whether libcurl's words are of the chunks of an answer.
  ///
  /// Its result for chunks that cannot be read is that of a lost connection.
  var errorIsChunkedEncoding: Bool { strstr(errorText, "chunk") != nil }
}

// MARK: - Progress

extension EasyHandle {
  /// When a byte last came or went, in microseconds; nil before the connection stands.
  package var lastProgress: Int64? { transfer.lastProgress }

  /// Whether the transfer ended because it was asked to, in the middle of the answer.
  package var wasStopped: Bool { transfer.wasStopped }

  /// Whether the transfer failed because the process could open no descriptor.
  package var ranOutOfDescriptors: Bool { transfer.ranOutOfDescriptors }

  /// Notes that nobody drove the transfer for a while, which says nothing of the server.
  ///
  /// - Parameters:
  ///   - now: when it was driven again.
  ///   - isLong: whether the server may have lost patience.
  package func notePause(until now: Int64, isLong: Bool) {
    transfer.notePause(until: now, isLong: isLong)
  }
}

// MARK: - Proxies

extension EasyHandle {
  /// The status of the proxy's answer to CONNECT; 0 if there was none.
  var proxyStatus: Int { integer(CURLINFO_HTTP_CONNECTCODE) }

  /// The address and port of the last connection, which goes to the proxy if there is one; nil if libcurl does not say.
  var peer: String? {
    var address: UnsafeMutableRawPointer?
    argyle_curl_get_pointer(handle, CURLINFO_PRIMARY_IP, &address)
    guard let address else { return nil }
    let text = String(cString: address.assumingMemoryBound(to: CChar.self))
    return text.utf8.isEmpty ? nil : "\(text):\(integer(CURLINFO_PRIMARY_PORT))"
  }

  private func integer(_ information: CURLINFO) -> Int {
    var number = 0
    let result = argyle_curl_get_long(handle, information, &number)
    return result == CURLE_OK ? number : 0
  }
}

// MARK: - Times and sizes

extension EasyHandle {
  /// How long the last transfer took, and when what happened in it.
  package var times: TransferTimes {
    var times = TransferTimes()
    // On a kept connection libcurl tells how long it took to find it.
    if integer(CURLINFO_NUM_CONNECTS) > 0 {
      times.nameResolved = number(CURLINFO_NAMELOOKUP_TIME_T)
      times.connected = number(CURLINFO_CONNECT_TIME_T)
      times.secured = number(CURLINFO_APPCONNECT_TIME_T)
    }
    times.answerBegan = number(CURLINFO_STARTTRANSFER_TIME_T)
    times.ended = number(CURLINFO_TOTAL_TIME_T)
    return times
  }

  /// Lets the attempt know how much of its body was sent, which libcurl does not tell by itself.
  package func noteSentBytes(at now: Int64) {
    // What the system holds has not gone yet.
    let unsent = Int64(poller.unsentBytes(from: transfer.localPort))
    transfer.noteSent(bytes: number(CURLINFO_SIZE_UPLOAD_T) - unsent, at: now)
  }

  private func number(_ information: CURLINFO) -> Int64 {
    var number: curl_off_t = 0
    let result = argyle_curl_get_offset(handle, information, &number)
    return result == CURLE_OK ? Int64(number) : 0
  }
}

// MARK: - Options

extension EasyHandle {
  /// Makes the handle ready for one attempt.
  func prepare(_ request: Request, _ settings: TransferSettings) -> CURLcode {
    transfer.begin(settings)
    errorText.pointee = 0
    if self.settings !== settings {
      self.settings = nil
      method = nil
      let result = configure(settings)
      guard result == CURLE_OK else { return result }
      self.settings = settings
    }
    var options = OptionList(handle)
    if method != request.method {
      let headers = settings.headers
      options.set(
        CURLOPT_HTTPHEADER,
        list: request.method.hasBody ? headers.withBody : headers.plain
      )
      options.set(request.method)
      // To be set again where a part of it could not be.
      method = options.result == CURLE_OK ? request.method : nil
    }
    hasBody = request.body != nil
    if request.method.hasBody { options.set(body: request.body ?? []) }
    url.removeAll(keepingCapacity: true)
    url.append(contentsOf: settings.baseURL.text.utf8)
    url.append(contentsOf: request.path.utf8)
    if !request.query.isEmpty {
      url.append(UInt8(ascii: "?"))
      url.append(contentsOf: request.query.utf8)
    }
    url.append(0)
    options.set(CURLOPT_URL, url)
    return options.result
  }

  /// Lets the handle be set up anew for the next attempt.
  ///
  /// libcurl counts how often it would have sent requests again, over all transfers of a handle, and gives up after
  /// five. It also keeps in mind that a stream was refused, and would believe it of a later request.
  func invalidateSettings() {
    settings = nil
  }

  /// Whether the server has refused the stream of the last transfer, which libcurl was to send again.
  func wasRefused() -> Bool {
    invalidateSettings()
    return argyle_curl_was_refused(handle) != 0
  }

  /// Forgets the body that was sent, which libcurl would otherwise keep until the next one.
  func discardBody() {
    guard hasBody else { return }
    var options = OptionList(handle)
    options.discardBody()
  }

  /// Sets what all requests with these settings have in common.
  private func configure(_ settings: TransferSettings) -> CURLcode {
    if !isNew {
      // Not `curl_easy_reset`, which does not tell where memory ran out, and then leaves some defaults out.
      guard let other = curl_easy_init() else { return CURLE_OUT_OF_MEMORY }
      curl_easy_cleanup(handle)
      handle = other
    }
    isNew = false
    var options = OptionList(handle)
    options.set(CURLOPT_PRIVATE, pointer: Unmanaged.passUnretained(self).toOpaque())
    options.set(CURLOPT_ERRORBUFFER, pointer: errorText)
    options.set(CURLOPT_NOSIGNAL, 1)
    // Not to wait for a name that resolves slowly once a time-out has passed.
    options.set(CURLOPT_QUICK_EXIT, 1)
    // The time of the whole attempt is for the queue to watch: libcurl counts the time in which nobody drives it.
    options.set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeoutMilliseconds)

    options.set(CURLOPT_PATH_AS_IS, 1)
    options.set(CURLOPT_PROTOCOLS_STR, "http,https")
    options.set(CURLOPT_FOLLOWLOCATION, 0)
    // Absent, libcurl's environment rule holds; a request to this machine itself goes through no proxy then.
    let proxy = settings.proxy ?? (settings.baseURL.isLoopback ? "" : nil)
    if let proxy { options.set(CURLOPT_PROXY, proxy) }
    // What a proxy says before the tunnel stands is no answer.
    options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    // What the environment excepts is excepted of the environment's proxy only.
    if settings.proxy != nil { options.set(CURLOPT_NOPROXY, "") }
    // HTTP/2 where the server offers it over TLS; then requests wait for the connection that they can share.
    options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    if settings.baseURL.isSecure { options.set(CURLOPT_PIPEWAIT, 1) }

    options.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
    options.set(CURLOPT_SSL_VERIFYPEER, 1)
    options.set(CURLOPT_SSL_VERIFYHOST, 2)
    options.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    if let caFile = settings.caFile { options.set(CURLOPT_CAINFO, caFile) }
    if let certificate = settings.clientCertificate {
      options.set(CURLOPT_SSLCERT, certificate.file)
      if let file = certificate.keyFile { options.set(CURLOPT_SSLKEY, file) }
      // Without one, the TLS library would ask for it on the terminal.
      options.set(CURLOPT_KEYPASSWD, certificate.password ?? Secret([]))
    }

    options.set(CURLOPT_USERAGENT, settings.userAgent)
    options.set(CURLOPT_ACCEPT_ENCODING, "")
    options.set(CURLOPT_OPENSOCKETDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
    options.set(openSocket: { context, _, address in
      guard let context, let address else { return CURL_SOCKET_BAD }
      return Unmanaged<EasyHandle>.fromOpaque(context).takeUnretainedValue()
        .openSocket(address.pointee)
    })
    options.set(CURLOPT_CLOSESOCKETDATA, pointer: Unmanaged.passUnretained(poller).toOpaque())
    options.set(closeSocket: { context, socket in
      guard let context else { return 0 }
      return Unmanaged<Poller>.fromOpaque(context).takeUnretainedValue().closeSocket(socket)
    })
    transfer.attach(to: &options)
    if settings.baseURL.isSecure { transfer.attachTrace(to: &options) }
    if settings.baseURL.isSecure, proxy?.utf8.isEmpty != true { transfer.attachClock(to: &options) }
    return options.result
  }
}

// MARK: - Sockets

extension EasyHandle {
  /// Opens the socket of a connection; `CURL_SOCKET_BAD` where that fails.
  private func openSocket(_ address: curl_sockaddr) -> curl_socket_t {
    let diagnostics = transfer.makeDiagnostics()
    diagnostics.irregularOption = settings?.irregularFile
    guard diagnostics.irregularOption == nil else { return CURL_SOCKET_BAD }
    let type = address.socktype | Int32(SOCK_CLOEXEC.rawValue)
    let opened = socket(address.family, type, address.protocol)
    diagnostics.ranOutOfDescriptors = opened < 0 && Descriptors.areExhausted
    if opened >= 0 { poller.adopt(opened, diagnostics) }
    return opened
  }
}
