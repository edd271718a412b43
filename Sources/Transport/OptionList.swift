import CCurl
import Support

/// Sets options of an easy handle until one fails.
struct OptionList {
  let handle: UnsafeMutableRawPointer
  /// The first error, or `CURLE_OK`.
  private(set) var result = CURLE_OK

  init(_ handle: UnsafeMutableRawPointer) {
    self.handle = handle
  }

  private mutating func attempt(_ set: (UnsafeMutableRawPointer) -> CURLcode) {
    if result == CURLE_OK { result = set(handle) }
  }

  mutating func set(_ option: CURLoption, _ value: Int) {
    attempt { argyle_curl_set_long($0, option, value) }
  }

  /// Sets a string, which libcurl copies.
  mutating func set(_ option: CURLoption, _ value: String) {
    attempt { argyle_curl_set_string($0, option, value) }
  }

  /// Sets a NUL-terminated string, which libcurl copies.
  mutating func set(_ option: CURLoption, _ text: [UInt8]) {
    attempt { handle in
      text.withUnsafeBytes { argyle_curl_set_bytes(handle, option, $0.baseAddress) }
    }
  }

  /// Sets a secret string, which libcurl copies and does not wipe.
  mutating func set(_ option: CURLoption, _ secret: Secret) {
    attempt { handle in
      secret.withCString { argyle_curl_set_string(handle, option, $0) } ?? CURLE_OUT_OF_MEMORY
    }
  }

  mutating func set(_ option: CURLoption, list: UnsafeMutablePointer<curl_slist>) {
    attempt { argyle_curl_set_list($0, option, list) }
  }

  mutating func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer) {
    attempt { argyle_curl_set_pointer($0, option, pointer) }
  }

  mutating func set(write function: curl_write_callback) {
    attempt { argyle_curl_set_write_function($0, function) }
  }

  mutating func set(header function: curl_write_callback) {
    attempt { argyle_curl_set_header_function($0, function) }
  }

  mutating func set(prereq function: curl_prereq_callback) {
    attempt { argyle_curl_set_prereq_function($0, function) }
  }

  mutating func set(progress function: curl_xferinfo_callback) {
    attempt { argyle_curl_set_progress_function($0, function) }
  }

  mutating func set(debug function: curl_debug_callback) {
    attempt { argyle_curl_set_debug_function($0, function) }
  }

  mutating func set(openSocket function: curl_opensocket_callback) {
    attempt { argyle_curl_set_open_function($0, function) }
  }

  mutating func set(closeSocket function: curl_closesocket_callback) {
    attempt { argyle_curl_set_close_function($0, function) }
  }

  /// Sets the method and clears what a previous one set.
  mutating func set(_ method: Request.Method) {
    switch method {
    case .get, .post: attempt { argyle_curl_set_string($0, CURLOPT_CUSTOMREQUEST, nil) }
    case .patch, .delete: set(CURLOPT_CUSTOMREQUEST, method.name)
    }
    set(method.hasBody ? CURLOPT_POST : CURLOPT_HTTPGET, 1)
  }

  /// Sets the body, which libcurl copies.
  mutating func set(body: [UInt8]) {
    attempt { argyle_curl_set_offset($0, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)) }
    attempt { handle in
      body.withUnsafeBytes {
        // NULL would mean to read the body from a callback, and an empty array may have no address.
        $0.isEmpty
          ? argyle_curl_set_bytes(handle, CURLOPT_COPYPOSTFIELDS, "")
          : argyle_curl_set_bytes(handle, CURLOPT_COPYPOSTFIELDS, $0.baseAddress)
      }
    }
  }

  /// Releases libcurl's copy of the body.
  mutating func discardBody() {
    attempt { argyle_curl_set_bytes($0, CURLOPT_POSTFIELDS, nil) }
  }
}
