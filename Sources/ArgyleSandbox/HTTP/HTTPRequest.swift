/// A request that was received to its end.
struct HTTPRequest {
  let method: HTTPMethod
  let target: RequestTarget

  /// The scheme, host and port by which the client reached the server.
  let origin: String

  /// The value of `Host`.
  let host: Bytes?

  /// The value of `Origin`, by which a browser names the page that asks.
  let pageOrigin: Bytes?

  /// The value of `Authorization`.
  let authorization: Bytes?

  /// The value of `Content-Type`.
  let contentType: Bytes?

  let body: Bytes

  /// Whether the body was larger than the server takes; it is then empty here.
  let bodyIsTooLarge: Bool

  /// Whether the body is declared as JSON.
  var isJSON: Bool {
    let mediaType = (contentType ?? []).prefix { $0 != UInt8(ascii: ";") && !$0.isHTTPSpace }
    return mediaType.matchesIgnoringCase("application/json")
  }
}
