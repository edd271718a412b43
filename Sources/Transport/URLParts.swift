import CCurl
import Support

/// The parts of a URL, parsed by libcurl.
package final class URLParts {
  private let handle: OpaquePointer

  private init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  /// Parses an absolute URL; returns nil if `url` is not one.
  package convenience init?(_ url: String, anyScheme: Bool = false) throws(OptionError) {
    guard let handle = curl_url() else { throw .outOfMemory }
    self.init(handle)
    let flags = anyScheme ? UInt32(CURLU_NON_SUPPORT_SCHEME) : 0
    guard !url.utf8.contains(0) else { return nil }
    let result = curl_url_set(handle, CURLUPART_URL, url, flags)
    guard result != CURLUE_OUT_OF_MEMORY else { throw .outOfMemory }
    guard result == CURLUE_OK else { return nil }
  }

  deinit {
    curl_url_cleanup(handle)
  }

  /// Returns a part as written or percent-decoded; nil if absent.
  package subscript(part: CURLUPart, decoded decoded: Bool = false) -> String? {
    get throws(OptionError) {
      var text: UnsafeMutablePointer<CChar>?
      let flags = decoded ? UInt32(CURLU_URLDECODE) : 0
      let result = curl_url_get(handle, part, &text, flags)
      // Out of memory is not the same as absent: a URL without its port is another URL.
      guard result != CURLUE_OUT_OF_MEMORY else { throw .outOfMemory }
      guard result == CURLUE_OK, let text else { return nil }
      defer { curl_free(text) }
      return String(cString: text)
    }
  }
}
