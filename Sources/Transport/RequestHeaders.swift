import CCurl
import CPlatform
import Support

/// The header lines of all requests of a client, including the API key; wiped after use.
///
/// libcurl gets the key in no other way, because it would keep copies that it does not wipe.
package final class RequestHeaders: Sendable {
  // `nonisolated(unsafe)` is safe because libcurl only reads them.
  /// For requests without a body.
  nonisolated(unsafe) package let plain: UnsafeMutablePointer<curl_slist>
  /// For requests with a JSON body.
  nonisolated(unsafe) let withBody: UnsafeMutablePointer<curl_slist>

  private init(
    _ plain: UnsafeMutablePointer<curl_slist>,
    _ withBody: UnsafeMutablePointer<curl_slist>
  ) {
    self.plain = plain
    self.withBody = withBody
  }

  deinit {
    RequestHeaders.free(plain)
    RequestHeaders.free(withBody)
  }

  /// Creates the lines from base64-encoded Basic credentials; throws if memory ran out.
  package static func make(_ credentials: Secret) throws(OptionError) -> RequestHeaders {
    let name: StaticString = "Authorization: Basic "
    let authorization = Secret(count: name.utf8CodeUnitCount + credentials.count) { put in
      name.withUTF8Buffer { $0.forEach(put) }
      credentials.withUTF8 { $0.forEach(put) }
    }
    guard let plain = list(authorization, ["Accept: application/json"]) else {
      throw .outOfMemory
    }
    // An empty "Expect" keeps libcurl from sending "Expect: 100-continue" before a large body.
    let lines: [StaticString] = [
      "Accept: application/json", "Content-Type: application/json", "Expect:",
    ]
    guard let withBody = list(authorization, lines) else {
      free(plain)
      throw .outOfMemory
    }
    return RequestHeaders(plain, withBody)
  }
}

// MARK: - Lists

extension RequestHeaders {
  private static func list(
    _ authorization: Secret,
    _ lines: [StaticString]
  ) -> UnsafeMutablePointer<curl_slist>? {
    guard let first = authorization.withCString({ curl_slist_append(nil, $0) }), let list = first
    else {
      return nil
    }
    for line in lines where curl_slist_append(list, line.cString) == nil {
      free(list)
      return nil
    }
    return list
  }

  private static func free(_ list: UnsafeMutablePointer<curl_slist>) {
    var item: UnsafeMutablePointer<curl_slist>? = list
    while let line = item {
      argyle_wipe(line.pointee.data, strlen(line.pointee.data))
      item = line.pointee.next
    }
    curl_slist_free_all(list)
  }
}
