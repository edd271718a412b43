import Support

/// The pace of a client's requests: at most so many a second, evenly spaced, with a small burst after a pause.
///
/// Threads and queues that share a client share its limiter. Whoever wants to make a request asks for leave when it
/// could be made at once, so that no leave is held and lost. It knows no clock: times are microseconds that the
/// caller reads.
final class RateLimiter: @unchecked Sendable {
  // Unchecked: all that changes is touched under the lock only.
  private let lock = Lock()

  /// The pace that was asked for, in requests a second.
  private let fullRate: Double
  /// The pace at this time, which is lower after the service has said that it is too high.
  private var rate: Double
  /// When the next request may be made, were there no burst.
  private var next: Int64 = 0
  /// Before this time none is made.
  private var pausedUntil: Int64 = 0
  /// When the pace was last changed.
  private var changedAt: Int64 = 0

  /// A pace is never lowered further than to this part of the one that was asked for.
  private static let minRateFraction = 1.0 / 64
  /// How long it takes to recover from the lowest pace, in microseconds.
  private static let recoveryTime = 10_000_000.0
  /// One refusal in this time counts: the others were on their way already.
  private static let refusalInterval: Int64 = 1_000_000
  /// The longest that a refusal stops all requests, in microseconds.
  private static let maxPause: Int64 = 60_000_000

  init(requestsPerSecond: Double) {
    fullRate = requestsPerSecond
    rate = requestsPerSecond
  }

  /// Asks for leave to make a request now; nil where it may be made, else when to ask again.
  func acquire(_ now: Int64) -> Int64? {
    lock.withLock {
      if now < pausedUntil { return pausedUntil }
      let interval = Int64(1_000_000 / rate)
      // A tenth of a second's requests may be made at once after a pause.
      let burst = Int64(max(rate / 10 - 1, 0)) * interval
      if now < next - burst { return next - burst }
      next = max(next, now) + interval
      return nil
    }
  }

  /// Takes note of an answer: 429 lowers the pace by half, others let it recover.
  func note(status: Int, retryAfterMilliseconds: Int64?, _ now: Int64) {
    lock.withLock {
      if status == 429 {
        let pause = (retryAfterMilliseconds ?? 0) * 1000
        pausedUntil = max(pausedUntil, now + min(pause, RateLimiter.maxPause))
        guard rate == fullRate || now - changedAt >= RateLimiter.refusalInterval else { return }
        rate = max(rate / 2, fullRate * RateLimiter.minRateFraction)
        changedAt = now
      } else if rate < fullRate {
        rate += fullRate * Double(now - changedAt) / RateLimiter.recoveryTime
        rate = min(rate, fullRate)
        changedAt = now
      }
    }
  }
}
