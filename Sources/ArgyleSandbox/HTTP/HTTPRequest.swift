/// A completely received request.
struct HTTPRequest {
  let method: HTTPMethod
  let target: RequestTarget

  /// The server's scheme, host and port, as the client addressed it.
  let origin: String

  /// Value of the `Host` header.
  let host: Bytes?

  /// Value of the `Origin` header, in which a browser names the requesting page's origin.
  let pageOrigin: Bytes?

  /// Value of the `Authorization` header.
  let authorization: Bytes?

  /// Value of the `Content-Type` header.
  let contentType: Bytes?

  /// Whether a browser asks for permission to send another request.
  let isPreflight: Bool

  let body: Bytes

  /// Whether the body exceeds the server's limit; `body` is then empty.
  let bodyIsTooLarge: Bool

  /// Whether the body is declared as JSON.
  var isJSON: Bool { mediaType.matchesIgnoringCase("application/json") }

  /// Whether the body is declared as a form.
  var isForm: Bool { mediaType.matchesIgnoringCase("application/x-www-form-urlencoded") }

  private var mediaType: ArraySlice<UInt8> {
    (contentType ?? []).prefix { $0 != UInt8(ascii: ";") && !$0.isHTTPSpace }
  }
}
