import Support

/// Limits a client's request rate: evenly spaced, with a small burst after a pause.
///
/// All threads and queues that use a client share its limiter. A permit is acquired only when the request can be sent
/// at once, so that none is held and lost. It reads no clock: times are microseconds passed by the caller.
final class RateLimiter: @unchecked Sendable {
  // Unchecked: mutable state is accessed only under the lock.
  private let lock = Lock()

  /// The configured rate, in requests per second.
  private let configuredRate: Double
  /// The current rate, lower after a 429.
  private var rate: Double
  /// When the next request may be sent if there were no burst.
  private var next: Int64 = 0
  /// No request may be sent before this time.
  private var pausedUntil: Int64 = 0
  /// When the rate last changed.
  private var changedAt: Int64 = 0

  /// Lower bound for the rate, as a fraction of the configured one.
  private static let minRateFraction = 1.0 / 64
  /// Time to recover from the lowest rate, in microseconds.
  private static let recoveryTime = 10_000_000.0
  /// Counts at most one 429 per interval, in microseconds; requests already in flight do not add up.
  private static let refusalInterval: Int64 = 1_000_000
  /// Maximum time that a 429 pauses all requests, in microseconds.
  private static let maxPause: Int64 = 60_000_000

  init(requestsPerSecond: Double) {
    configuredRate = requestsPerSecond
    rate = requestsPerSecond
  }

  /// Acquires a permit to send a request now; returns nil on success, otherwise when to try again.
  func acquire(_ now: Int64) -> Int64? {
    lock.withLock {
      if now < pausedUntil { return pausedUntil }
      let interval = Int64(1_000_000 / rate)
      // After a pause, a tenth of a second's requests may be sent at once.
      let burst = Int64(max(rate / 10 - 1, 0)) * interval
      if now < next - burst { return next - burst }
      next = max(next, now) + interval
      return nil
    }
  }

  /// Records a response: a 429 halves the rate, others let it recover.
  func record(status: Int, retryAfterMilliseconds: Int64?, _ now: Int64) {
    lock.withLock {
      if status == 429 {
        let pause = (retryAfterMilliseconds ?? 0) * 1000
        pausedUntil = max(pausedUntil, now + min(pause, RateLimiter.maxPause))
        guard rate == configuredRate || now - changedAt >= RateLimiter.refusalInterval else {
          return
        }
        rate = max(rate / 2, configuredRate * RateLimiter.minRateFraction)
        changedAt = now
      } else if rate < configuredRate {
        rate += configuredRate * Double(now - changedAt) / RateLimiter.recoveryTime
        rate = min(rate, configuredRate)
        changedAt = now
      }
    }
  }
}
