/// How long a call may take and how often it may be repeated.
package struct CallLimits: Sendable {
  /// The time of one attempt (`timeout_ms`).
  let timeoutMilliseconds: Int
  /// The longest time of an attempt in which no byte comes or goes (`stall_timeout_ms`); nil for any.
  let stallTimeoutMilliseconds: Int?
  /// The time of the whole call, across attempts and waits (`deadline_ms`); nil for any.
  let deadlineMilliseconds: Int?
  /// How often a request is made again after a failure that may pass (`max_retries`).
  let maxRetries: Int
  /// The longest wait that the service may ask for (`max_retry_after_ms`).
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
