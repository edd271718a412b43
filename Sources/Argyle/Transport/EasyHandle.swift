import CCurl
import CPlatform
import Interop

/// One of libcurl's easy handles, with the memory that it needs for as long as it lives.
///
/// What all requests of a client have in common is set once: setting it anew for each would cost as much as the
/// rest of a request does here.
final class EasyHandle {
  let handle: UnsafeMutableRawPointer
  /// The attempt that the handle is making or has made.
  let transfer = Transfer()
  /// The call that the attempt is for, which its queue holds.
  unowned(unsafe) var call: Call?

  private let poller: Poller
  private let errorText: UnsafeMutablePointer<CChar>
  private let headers: UnsafeMutablePointer<curl_slist>
  private let processID = getpid()
  /// What the handle is set up for.
  private var settings: TransferSettings?

  /// Makes a handle whose sockets are watched by a poller; nil where memory ran out.
  init?(_ poller: Poller) {
    guard let handle = curl_easy_init() else { return nil }
    guard let headers = EasyHandle.makeHeaders() else {
      curl_easy_cleanup(handle)
      return nil
    }
    self.handle = handle
    self.headers = headers
    self.poller = poller
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.pointee = 0
  }

  deinit {
    guard processID == getpid() else { return }
    curl_easy_cleanup(handle)
    curl_slist_free_all(headers)
    errorText.deallocate()
  }

  /// Makes the headers of every request.
  ///
  /// An empty "Expect" keeps libcurl from asking for leave to send a large body.
  private static func makeHeaders() -> UnsafeMutablePointer<curl_slist>? {
    let lines: [StaticString] = [
      "Accept: application/json", "Content-Type: application/json", "Expect:",
    ]
    var list: UnsafeMutablePointer<curl_slist>?
    for line in lines {
      guard let longer = curl_slist_append(list, line.cString) else {
        curl_slist_free_all(list)
        return nil
      }
      list = longer
    }
    return list
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
}

// MARK: - Times

extension EasyHandle {
  /// How long the last transfer took, and when what happened in it.
  var times: TransferTimes {
    TransferTimes(
      nameResolved: time(CURLINFO_NAMELOOKUP_TIME_T),
      connected: time(CURLINFO_CONNECT_TIME_T),
      secured: time(CURLINFO_APPCONNECT_TIME_T),
      answerBegan: time(CURLINFO_STARTTRANSFER_TIME_T),
      ended: time(CURLINFO_TOTAL_TIME_T)
    )
  }

  private func time(_ information: CURLINFO) -> Int64 {
    var microseconds: curl_off_t = 0
    let result = argyle_curl_get_offset(handle, information, &microseconds)
    return result == CURLE_OK ? Int64(microseconds) : 0
  }
}

// MARK: - Options

extension EasyHandle {
  /// Makes the handle ready for one attempt.
  func prepare(_ request: Request, _ settings: TransferSettings) -> CURLcode {
    transfer.begin(maxResponseBytes: settings.maxResponseBytes)
    errorText.pointee = 0
    if self.settings !== settings {
      self.settings = nil
      let result = configure(settings)
      guard result == CURLE_OK else { return result }
      self.settings = settings
    }
    var options = OptionList(handle)
    var url = settings.baseURL.text + request.path
    if !request.query.isEmpty { url += "?" + request.query }
    options.set(CURLOPT_URL, url)
    options.set(method: request)
    return options.result
  }

  /// Forgets the body that was sent, which libcurl would otherwise keep until the next one.
  func forgetBody() {
    var options = OptionList(handle)
    options.forgetBody()
  }

  /// Sets what all requests with these settings have in common.
  private func configure(_ settings: TransferSettings) -> CURLcode {
    curl_easy_reset(handle)
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
    // Absent, libcurl's environment rule holds; a request to this machine itself goes through no proxy.
    if settings.baseURL.isLoopback { options.set(CURLOPT_PROXY, "") }
    // HTTP/2 where the server offers it over TLS; then requests wait for the connection that they can share.
    options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    if settings.baseURL.isSecure { options.set(CURLOPT_PIPEWAIT, 1) }

    options.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
    options.set(CURLOPT_HTTPAUTH, 1)  // CURLAUTH_BASIC, a macro that does not import
    options.set(CURLOPT_USERNAME, settings.keyID)
    options.set(CURLOPT_PASSWORD, settings.keySecret)
    options.set(CURLOPT_SSL_VERIFYPEER, 1)
    options.set(CURLOPT_SSL_VERIFYHOST, 2)
    options.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    if let caFile = settings.caFile { options.set(CURLOPT_CAINFO, caFile) }

    options.set(CURLOPT_HTTPHEADER, list: headers)
    options.set(CURLOPT_USERAGENT, settings.userAgent)
    options.set(CURLOPT_ACCEPT_ENCODING, "")
    options.set(CURLOPT_CLOSESOCKETDATA, pointer: Unmanaged.passUnretained(poller).toOpaque())
    options.set(closeSocket: { context, socket in
      guard let context else { return 0 }
      return Unmanaged<Poller>.fromOpaque(context).takeUnretainedValue().closeSocket(socket)
    })
    transfer.attach(to: &options)
    return options.result
  }
}
