/// A request, from its headers to the end of its response.
final class HTTPExchange {
  /// Maximum body size, which bounds a user's metadata and so the largest list.
  static var bodyLimit: Int { 1 << 20 }

  /// How much of a larger body is read and discarded, so that the client gets to read the response.
  private static var discardLimit: Int { 64 << 20 }

  let method: String
  let target: RequestTarget
  let start = Moment.now()
  let startTime = Timestamp.systemNow()

  private(set) var body = Bytes()
  private var count = 0

  /// How to handle the request; nil until it is carried out.
  var outcome: HTTPOutcome?

  /// The response's status and trace id, for the log.
  var sentStatus: UInt32?
  var sentTraceID: String?

  init(method: String, target: RequestTarget) {
    self.method = method
    self.target = target
  }

  var bodyIsTooLarge: Bool { count > Self.bodyLimit }

  /// Whether the body is too large even to be discarded.
  var exceedsDiscardLimit: Bool { count > Self.discardLimit }

  /// Appends the next part of the body.
  func receive(_ part: UnsafeRawBufferPointer) {
    count += part.count
    if bodyIsTooLarge { body = [] } else { body.append(contentsOf: part) }
  }

  /// Records a Content-Length, if the body will be too large even to be discarded.
  func recordContentLength(_ length: Int) {
    if length > Self.discardLimit { count = length }
  }
}
