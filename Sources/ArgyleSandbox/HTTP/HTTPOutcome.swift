/// What becomes of a request.
struct HTTPOutcome {
  /// The answer, or nil to close the connection without one.
  var response: HTTPResponse?

  /// Whether the connection is closed in the middle of the body.
  let isCut: Bool

  /// How long the client is left waiting.
  var delayMilliseconds = 0

  /// Whether nobody is left waiting any longer.
  var endsDelays = false

  init(_ response: HTTPResponse?, isCut: Bool = false) {
    self.response = response
    self.isCut = isCut
  }
}
