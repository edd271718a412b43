/// How the server handles a request.
struct HTTPOutcome {
  /// The response; nil to close the connection without one.
  var response: HTTPResponse?

  /// Whether the connection closes in the middle of the body.
  let isCut: Bool

  /// Delay before the response.
  var delayMilliseconds = 0

  /// Whether all current delays end.
  var endsDelays = false

  init(_ response: HTTPResponse?, isCut: Bool = false) {
    self.response = response
    self.isCut = isCut
  }
}
