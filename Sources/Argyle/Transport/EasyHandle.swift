import CCurl
import Interop

/// One of libcurl's easy handles, with the memory that it needs for as long as it lives.
final class EasyHandle {
  let handle: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private let headers: UnsafeMutablePointer<curl_slist>

  /// Makes a handle; nil where memory ran out.
  init?() {
    guard let handle = curl_easy_init() else { return nil }
    guard let headers = EasyHandle.makeHeaders() else {
      curl_easy_cleanup(handle)
      return nil
    }
    self.handle = handle
    self.headers = headers
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.pointee = 0
  }

  deinit {
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

  /// What libcurl said of the last failure; empty where it said nothing.
  var errorMessage: String { String(cString: errorText) }
}

extension EasyHandle {
  /// How long the last transfer took.
  var milliseconds: Int {
    var microseconds: curl_off_t = 0
    let result = argyle_curl_get_offset(handle, CURLINFO_TOTAL_TIME_T, &microseconds)
    return result == CURLE_OK ? Int(microseconds) / 1000 : 0
  }
}

// MARK: - Options

extension EasyHandle {
  /// Makes the handle ready for one attempt; nothing is left of the attempt before but its connections.
  func prepare(
    _ request: Request,
    _ settings: TransferSettings,
    _ transfer: Transfer
  ) -> CURLcode {
    curl_easy_reset(handle)
    errorText.pointee = 0
    var options = OptionList(handle)

    options.set(CURLOPT_ERRORBUFFER, pointer: errorText)
    options.set(CURLOPT_NOSIGNAL, 1)
    // Not to wait for a name that resolves slowly once the time-out has passed.
    options.set(CURLOPT_QUICK_EXIT, 1)
    options.set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeoutMilliseconds)
    options.set(CURLOPT_TIMEOUT_MS, settings.timeoutMilliseconds)

    var url = settings.baseURL.text + request.path
    if !request.query.isEmpty { url += "?" + request.query }
    options.set(CURLOPT_URL, url)
    options.set(CURLOPT_PATH_AS_IS, 1)
    options.set(CURLOPT_PROTOCOLS_STR, "http,https")
    options.set(CURLOPT_FOLLOWLOCATION, 0)
    // Absent, libcurl's environment rule holds; a request to this machine itself goes through no proxy.
    if settings.baseURL.isLoopback { options.set(CURLOPT_PROXY, "") }

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
    options.set(method: request)
    transfer.attach(to: &options)
    return options.result
  }
}
