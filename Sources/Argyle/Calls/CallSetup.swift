import Transport

/// What all calls of a client have in common.
final class CallSetup: Sendable {
  let settings: ClientSettings
  /// The pace of the requests; nil where it is not limited.
  let limiter: RateLimiter?
  /// How many attempts may still be retried.
  let retryBudget: RetryBudget
  /// Where it is told what happens to calls; nil: nowhere.
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

  /// What every message about a request begins with, and what none may show.
  func context(for request: Request) -> CallContext {
    CallContext(
      request,
      authority: settings.transfer.baseURL.authority,
      secrets: settings.secrets
    )
  }
}
