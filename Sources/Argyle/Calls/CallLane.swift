/// The calls of a queue that wait for their turn under one rate limit, or under none.
final class CallLane {
  /// What the calls have to ask for leave; nil where they need none.
  let limiter: RateLimiter?
  var calls = FIFO<Call>()
  var count = 0
  /// When to ask for leave again.
  var due: Int64 = 0

  init(_ limiter: RateLimiter?) {
    self.limiter = limiter
  }
}
