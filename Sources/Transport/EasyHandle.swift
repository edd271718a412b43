import CCurl
import CPlatform
import Support

/// A libcurl easy handle with the memory it refers to.
///
/// Options shared by all requests of a client are set once: setting them for each request would double its cost here.
package final class EasyHandle {
  private(set) var handle: UnsafeMutableRawPointer
  /// Whether no option has been set yet.
  private var isNew = true
  /// The current or last attempt.
  let transfer: Transfer
  /// The caller's context.
  package internal(set) var context: UnsafeMutableRawPointer?
  /// libcurl's result for the completed transfer.
  var result = CURLE_OK
  private var hasBody = false

  private let poller: Poller
  private let errorText: UnsafeMutablePointer<CChar>
  private let mark: ProcessMark
  /// The settings the handle is configured for.
  private var settings: TransferSettings?
  private var method: Request.Method?
  /// Buffer for the URL, with a terminating NUL.
  private var url: [UInt8] = []

  /// Creates a handle for a multi handle's transfers; returns nil if memory ran out.
  static func make(_ multi: MultiHandle) -> EasyHandle? {
    // Not an initialiser: Embedded Swift leaks an object whose initialiser fails before all of it is set.
    curl_easy_init().map { EasyHandle($0, multi) }
  }

  private init(_ handle: UnsafeMutableRawPointer, _ multi: MultiHandle) {
    self.handle = handle
    poller = multi.poller
    mark = multi.mark
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.pointee = 0
    transfer = Transfer(multi.goAwayTracker, poller)
    transfer.shouldStop = { [unowned(unsafe) self, unowned(unsafe) multi] in
      multi.shouldStop?(self) ?? false
    }
  }

  deinit {
    guard mark.isOfThisProcess else { return }
    curl_easy_cleanup(handle)
    errorText.deallocate()
  }

  /// Returns the object that owns a `CURL *`.
  static func from(_ handle: UnsafeMutableRawPointer) -> EasyHandle? {
    var context: UnsafeMutableRawPointer?
    guard argyle_curl_get_pointer(handle, CURLINFO_PRIVATE, &context) == CURLE_OK else {
      return nil
    }
    return context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
  }

  /// libcurl's message for the last failure; empty if there is none.
  var errorMessage: String { String(cString: errorText) }

  /// Whether the error is about invalid HTTP/2 frames, not a stream that the server reset.
  ///
  /// libcurl 8 says so. libcurl 7 has the same message for both.
  var errorIsInvalidFrame: Bool {
    strstr(errorText, "received invalid frame") != nil || strstr(errorText, "reset by curl") != nil
  }

  /// Whether the error is about chunked encoding.
  ///
  /// libcurl has the same result for invalid chunks and a lost connection.
  var errorIsChunkedEncoding: Bool { strstr(errorText, "chunk") != nil }
}

// MARK: - Progress

extension EasyHandle {
  /// When a byte was last sent or received, in microseconds; nil until connected.
  package var lastProgress: Int64? { transfer.lastProgress }

  /// Whether the caller stopped the transfer in the middle of the response.
  package var wasStopped: Bool { transfer.wasStopped }

  /// Whether the transfer failed because file descriptors ran out.
  package var ranOutOfDescriptors: Bool { transfer.ranOutOfDescriptors }

  /// Records a pause of the host, which says nothing about the server.
  ///
  /// - Parameters:
  ///   - now: when the host drove the transfer again.
  ///   - isLong: whether the server may have timed out.
  package func recordPause(until now: Int64, isLong: Bool) {
    transfer.recordPause(until: now, isLong: isLong)
  }
}

// MARK: - Proxies

extension EasyHandle {
  /// Status of the proxy's response to CONNECT; 0 if there was none.
  var proxyStatus: Int { integer(CURLINFO_HTTP_CONNECTCODE) }

  /// Address and port of the last connection, the proxy's if one is used; nil if unknown.
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
  /// Timings of the last transfer.
  package var times: TransferTimes {
    var times = TransferTimes()
    // For a reused connection libcurl reports the time to find it.
    if integer(CURLINFO_NUM_CONNECTS) > 0 {
      times.nameResolved = number(CURLINFO_NAMELOOKUP_TIME_T)
      times.connected = number(CURLINFO_CONNECT_TIME_T)
      times.secured = number(CURLINFO_APPCONNECT_TIME_T)
    }
    times.answerBegan = number(CURLINFO_STARTTRANSFER_TIME_T)
    times.ended = number(CURLINFO_TOTAL_TIME_T)
    return times
  }

  /// Updates the attempt's count of sent body bytes, which libcurl does not report by itself.
  package func updateSentBytes(at now: Int64) {
    // Bytes in the socket's send buffer are not sent yet.
    let unsent = Int64(poller.unsentBytes(from: transfer.localPort))
    transfer.recordSent(bytes: number(CURLINFO_SIZE_UPLOAD_T) - unsent, at: now)
  }

  private func number(_ information: CURLINFO) -> Int64 {
    var number: curl_off_t = 0
    let result = argyle_curl_get_offset(handle, information, &number)
    return result == CURLE_OK ? Int64(number) : 0
  }
}

// MARK: - Options

extension EasyHandle {
  /// Prepares the handle for one attempt.
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
      // If an option failed, it is set again for the next attempt.
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

  /// Makes the next attempt set all options again.
  ///
  /// libcurl counts its own retries across all transfers of a handle and gives up after five. It also remembers that a
  /// stream was refused, and would apply that to a later request.
  func invalidateSettings() {
    settings = nil
  }

  /// Returns whether the server refused the last transfer's stream, which libcurl was about to retry, and forgets it.
  func takeRefusal() -> Bool {
    invalidateSettings()
    return argyle_curl_was_refused(handle) != 0
  }

  /// Releases the request body, which libcurl would otherwise keep until the next one.
  func discardBody() {
    guard hasBody else { return }
    var options = OptionList(handle)
    options.discardBody()
  }

  /// Sets the options shared by all requests with these settings.
  private func configure(_ settings: TransferSettings) -> CURLcode {
    if !isNew {
      // Not `curl_easy_reset`: it does not report that memory ran out, and then omits some defaults.
      guard let other = curl_easy_init() else { return CURLE_OUT_OF_MEMORY }
      curl_easy_cleanup(handle)
      handle = other
    }
    isNew = false
    var options = OptionList(handle)
    options.set(CURLOPT_PRIVATE, pointer: Unmanaged.passUnretained(self).toOpaque())
    options.set(CURLOPT_ERRORBUFFER, pointer: errorText)
    options.set(CURLOPT_NOSIGNAL, 1)
    // Do not wait for slow name resolution after a timeout.
    options.set(CURLOPT_QUICK_EXIT, 1)
    // The attempt's timeout is the queue's: libcurl's would include time during which the host does not drive it.
    options.set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeoutMilliseconds)

    options.set(CURLOPT_PATH_AS_IS, 1)
    options.set(CURLOPT_PROTOCOLS_STR, "http,https")
    options.set(CURLOPT_FOLLOWLOCATION, 0)
    // Without the option libcurl reads the environment; requests to a loopback host then use no proxy.
    let proxy = settings.proxy ?? (settings.baseURL.isLoopback ? "" : nil)
    if let proxy { options.set(CURLOPT_PROXY, proxy) }
    // A proxy's response to CONNECT is not the response.
    options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    // The environment's NO_PROXY applies only to the environment's proxy.
    if settings.proxy != nil { options.set(CURLOPT_NOPROXY, "") }
    // HTTP/2 if the server offers it over TLS; requests then wait for a connection to share.
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
      // Without a password the TLS library would ask for it on the terminal.
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
  /// Opens a connection's socket; returns `CURL_SOCKET_BAD` on failure.
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
