/// Timeouts and retry limits of a call.
package struct CallLimits: Sendable {
  /// Timeout of one attempt (`timeout_ms`).
  let timeoutMilliseconds: Int
  /// Maximum time without a byte sent or received (`stall_timeout_ms`); nil for no limit.
  let stallTimeoutMilliseconds: Int?
  /// Deadline of the whole call, including backoff (`deadline_ms`); nil for no limit.
  let deadlineMilliseconds: Int?
  /// Maximum number of retries after transient failures (`max_retries`).
  let maxRetries: Int
  /// Maximum wait that the service may ask for (`max_retry_after_ms`).
  let maxRetryAfterMilliseconds: Int64

  package init(
    timeoutMilliseconds: Int = 30_000,
    stallTimeoutMilliseconds: Int? = nil,
    deadlineMilliseconds: Int? = nil,
    maxRetries: Int = 2,
    maxRetryAfterMilliseconds: Int64 = 60_000
  ) {
    self.timeoutMilliseconds = timeoutMilliseconds
    self.stallTimeoutMilliseconds = stallTimeoutMilliseconds
    self.deadlineMilliseconds = deadlineMilliseconds
    self.maxRetries = maxRetries
    self.maxRetryAfterMilliseconds = maxRetryAfterMilliseconds
  }
}
