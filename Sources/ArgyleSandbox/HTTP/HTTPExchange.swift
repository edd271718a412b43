/// A request from its headers to the end of its answer.
final class HTTPExchange {
  /// The largest body that is taken, which bounds a user's metadata, and so the largest list.
  private static var bodyLimit: Int { 1 << 20 }

  /// How much of a larger body is read on, so that the client comes to read the answer.
  private static var discardLimit: Int { 64 << 20 }

  let method: String
  let target: RequestTarget
  let start = Moment.now()
  let startTime = Timestamp.systemNow()

  private(set) var body = Bytes()
  private var count = 0

  /// What is to become of it, from the time that it was carried out.
  var outcome: HTTPOutcome?

  /// What was given as the answer, for the log.
  var sentStatus: UInt32?
  var sentTraceID: String?

  init(method: String, target: RequestTarget) {
    self.method = method
    self.target = target
  }

  var bodyIsTooLarge: Bool { count > Self.bodyLimit }

  /// Whether there is more than is read on.
  var isHopeless: Bool { count > Self.discardLimit }

  /// Takes the next part of the body.
  func receive(_ part: UnsafeRawBufferPointer) {
    count += part.count
    if bodyIsTooLarge { body = [] } else { body.append(contentsOf: part) }
  }

  /// Goes by what the client says that it will send.
  func announce(_ count: Int) {
    if count > Self.discardLimit { self.count = count }
  }
}
