/// A request while it is received.
final class HTTPExchange {
  /// The largest body that is taken.
  static var bodyLimit: Int { 16 << 20 }

  /// How much of a larger body is read on, so that the client comes to read the answer.
  static var discardLimit: Int { 64 << 20 }

  /// The request target as it stood in the request line.
  let target: Bytes

  var hasHeaders = false
  private(set) var body = Bytes()
  private(set) var bodyCount = 0

  init(target: Bytes) {
    self.target = target
  }

  var bodyIsTooLarge: Bool { bodyCount > Self.bodyLimit }

  /// Takes the next part of the body; false where there has been too much even to read on.
  func receive(_ part: UnsafeRawBufferPointer) -> Bool {
    bodyCount += part.count
    if bodyIsTooLarge { body = [] } else { body.append(contentsOf: part) }
    return bodyCount <= Self.discardLimit
  }

  /// Notes a body that is too large by what the client announced.
  func announce(_ count: Int) {
    bodyCount = count
  }
}
