import Transport

/// The one place that decides which calls are tried again, and whether one may have been carried out.
///
/// It is pure: the same is said of the same.
package struct RetryPolicy: Sendable {
  /// What an attempt says of its call.
  package struct Verdict: Equatable, Sendable {
    /// Whether another attempt may succeed, and does nothing twice.
    package let isRetryable: Bool
    /// Whether the service may have carried out what was asked, if it changes anything.
    package let mayHaveActed: Bool

    package init(isRetryable: Bool, mayHaveActed: Bool) {
      self.isRetryable = isRetryable
      self.mayHaveActed = mayHaveActed
    }
  }

  /// How often a request is sent again at once that the server refused without processing it.
  private static let maxRefusals = 10
  /// The longest backoff before the first retry, in microseconds; it doubles with each.
  private static let initialBackoff = 500_000.0
  private static let maxBackoff = 8_000_000.0

  private let limits: CallLimits

  init(_ limits: CallLimits) {
    self.limits = limits
  }
}

// MARK: - Verdicts

extension RetryPolicy {
  /// What a status says.
  package static func verdict(
    on status: Int,
    hasRetryAfter: Bool,
    _ request: Request
  ) -> Verdict {
    let isRetryable =
      switch status {
      case 429: true
      case 503: request.isIdempotent || hasRetryAfter
      case 408, 500, 502, 504: request.isIdempotent
      default: false
      }
    let mayHaveActed =
      switch status {
      case 503: !hasRetryAfter
      // Not Implemented and HTTP Version Not Supported: refused before anything was done.
      case 501, 505: false
      // Proxies have numbers of their own above 511 for a server behind them that may have acted.
      case 200..<300, 408, 500...: true
      default: false
      }
    return Verdict(
      isRetryable: isRetryable,
      mayHaveActed: mayHaveActed && request.isMutating
    )
  }

  /// What an attempt says that has brought no answer.
  package static func verdict(on failure: TransferFailure, _ request: Request) -> Verdict {
    Verdict(
      isRetryable: failure.isTransient
        && (request.isIdempotent || !failure.mayHaveBeenReceived),
      mayHaveActed: failure.mayHaveBeenReceived && request.isMutating
    )
  }

  /// What a success says that cannot be read.
  static func verdict(onUnreadable request: Request) -> Verdict {
    Verdict(isRetryable: false, mayHaveActed: request.isMutating)
  }

  /// Whether a status is a success: a repeated DELETE that finds nothing was carried out the first time.
  static func isSuccess(_ status: Int, _ request: Request, mayHaveActedBefore: Bool) -> Bool {
    (200..<300).contains(status)
      || request.method == .delete && status == 404 && mayHaveActedBefore
  }
}

// MARK: - When

extension RetryPolicy {
  /// Whether to send again at once after a failure that says nothing of the service, where nothing is done twice.
  ///
  /// A kept connection that the server had already closed is such a failure, and one for which the host was away:
  /// once. A server that ends a connection refuses what came too late, and may do so again and again.
  ///
  /// - Parameters:
  ///   - failure: the attempt's failure.
  ///   - request: the request.
  ///   - refusals: how often the server has refused it, this time included.
  ///   - hasResent: whether it was sent again at once before, for another reason.
  /// - Returns: whether the next attempt is due.
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

  /// The backoff before a retry.
  ///
  /// - Parameters:
  ///   - retries: the retries that were made.
  ///   - asked: the milliseconds that the service asked for; nil: none.
  ///   - random: a random number from 0 to 1.
  /// - Returns: microseconds; nil where no retry is to be made.
  func wait(afterRetries retries: Int, asked: Int64?, random: () -> Double) -> Int64? {
    guard retries < limits.maxRetries else { return nil }
    if let asked { return asked <= limits.maxRetryAfterMilliseconds ? asked * 1000 : nil }
    let backoff = RetryPolicy.initialBackoff * Double(1 << min(retries, 8))
    // Anything from nothing to all of it, or else those who failed together come back together.
    return Int64(min(backoff, RetryPolicy.maxBackoff) * random())
  }
}
