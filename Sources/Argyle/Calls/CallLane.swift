/// Pending calls that share a rate limit, or have none.
final class CallLane {
  /// The limiter to acquire from; nil if there is no limit.
  let limiter: RateLimiter?
  var calls = FIFO<Call>()
  var count = 0
  /// When to try to acquire again.
  var due: Int64 = 0

  init(_ limiter: RateLimiter?) {
    self.limiter = limiter
  }
}
