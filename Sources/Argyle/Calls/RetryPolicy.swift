import Transport

/// Decides which calls are retried, and whether a call may have been carried out.
///
/// It is pure: the same input gives the same result.
package struct RetryPolicy: Sendable {
  /// What an attempt means for its call.
  package struct Verdict: Equatable, Sendable {
    /// Whether a retry may succeed and does nothing twice.
    package let isRetryable: Bool
    /// Whether the service may have carried out a request that changes anything.
    package let mayHaveActed: Bool

    package init(isRetryable: Bool, mayHaveActed: Bool) {
      self.isRetryable = isRetryable
      self.mayHaveActed = mayHaveActed
    }
  }

  /// Maximum number of immediate resends of a request that the server refused without processing it.
  private static let maxRefusals = 10
  /// Upper bound of the first backoff, in microseconds; it doubles with each retry.
  private static let initialBackoff = 500_000.0
  private static let maxBackoff = 8_000_000.0

  private let limits: CallLimits

  init(_ limits: CallLimits) {
    self.limits = limits
  }
}

// MARK: - Verdicts

extension RetryPolicy {
  /// The verdict on a response's status.
  package static func verdict(
    on status: Int,
    hasRetryAfter: Bool,
    _ request: Request
  ) -> Verdict {
    let isRetryable =
      switch status {
      case 429: true
      // Without Retry-After it may come from a proxy whose server acted, so a create is not retried.
      case 503: request.isIdempotent || hasRetryAfter
      case 408, 500, 502, 504: request.isIdempotent
      default: false
      }
    let mayHaveActed =
      switch status {
      case 503: !hasRetryAfter
      // Not Implemented and HTTP Version Not Supported: refused before anything was done.
      case 501, 505: false
      // Proxies use their own codes above 511 for a server behind them that may have acted.
      case 200..<300, 408, 500...: true
      default: false
      }
    return Verdict(
      isRetryable: isRetryable,
      mayHaveActed: mayHaveActed && request.isMutating
    )
  }

  /// The verdict on an attempt without a response.
  package static func verdict(on failure: TransferFailure, _ request: Request) -> Verdict {
    Verdict(
      isRetryable: failure.isTransient
        && (request.isIdempotent || !failure.mayHaveBeenReceived),
      mayHaveActed: failure.mayHaveBeenReceived && request.isMutating
    )
  }

  /// The verdict on a success whose response cannot be read.
  static func verdict(onUnreadable request: Request) -> Verdict {
    Verdict(isRetryable: false, mayHaveActed: request.isMutating)
  }

  /// Whether a status is a success: a retried DELETE that gets 404 was carried out the first time.
  static func isSuccess(_ status: Int, _ request: Request, mayHaveActedBefore: Bool) -> Bool {
    (200..<300).contains(status)
      || request.method == .delete && status == 404 && mayHaveActedBefore
  }
}

// MARK: - Timing

extension RetryPolicy {
  /// Whether to resend immediately after a failure that is not the service's, if nothing is done twice.
  ///
  /// Once for a reused connection that the server had already closed, or a failure during a pause of the host. A server
  /// that shuts down a connection refuses late requests and may do so repeatedly.
  ///
  /// - Parameters:
  ///   - failure: the attempt's failure.
  ///   - request: the request.
  ///   - refusals: how often the server refused it, including this time.
  ///   - hasResent: whether it was already resent immediately for another reason.
  /// - Returns: whether to make the next attempt now.
  static func resendsImmediately(
    after failure: TransferFailure,
    _ request: Request,
    refusals: Int,
    hasResent: Bool
  ) -> Bool {
    if failure.wasRefused { return refusals <= maxRefusals }
    guard !hasResent, failure.keptConnectionWasDead || failure.hostWasPaused && failure.isTransient
    else { return false }
    return request.isIdempotent || !failure.mayHaveBeenReceived
  }

  /// Returns the backoff before a retry.
  ///
  /// - Parameters:
  ///   - retries: the number of retries so far.
  ///   - asked: the `Retry-After` of the service in milliseconds; nil if there is none.
  ///   - random: returns a random number from 0 to 1.
  /// - Returns: microseconds; nil if there is to be no retry.
  func wait(afterRetries retries: Int, asked: Int64?, random: () -> Double) -> Int64? {
    guard retries < limits.maxRetries else { return nil }
    if let asked { return asked <= limits.maxRetryAfterMilliseconds ? asked * 1000 : nil }
    let backoff = RetryPolicy.initialBackoff * Double(1 << min(retries, 8))
    // Full jitter: otherwise clients that failed together would retry together.
    return Int64(min(backoff, RetryPolicy.maxBackoff) * random())
  }
}
