import Transport

/// Settings and state shared by all calls of a client.
final class CallSetup: Sendable {
  let settings: ClientSettings
  /// The rate limiter; nil without a limit.
  let limiter: RateLimiter?
  let retryBudget: RetryBudget
  /// Receives log records; nil if there is no log.
  let log: CallLog?

  init(
    _ settings: ClientSettings,
    _ limiter: RateLimiter?,
    _ retryBudget: RetryBudget,
    _ log: CallLog?
  ) {
    self.settings = settings
    self.limiter = limiter
    self.retryBudget = retryBudget
    self.log = log
  }

  var limits: CallLimits { settings.limits }

  /// Creates the context for a request's messages.
  func context(for request: Request) -> CallContext {
    CallContext(
      request,
      version: settings.apiVersion,
      authority: settings.transfer.baseURL.authority,
      secrets: settings.secrets
    )
  }
}
