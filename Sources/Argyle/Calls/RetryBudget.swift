import Support

/// How many attempts a client may still repeat: what keeps an outage from being answered with a storm of requests.
///
/// Each repeated attempt takes from it, each success gives a little back. All threads and queues that share a client
/// share its budget.
final class RetryBudget: @unchecked Sendable {
  // Unchecked: what changes is touched under the lock only.
  private static let capacity = 500
  private static let retryCost = 5
  /// A time-out costs more: the service is likely to be overwhelmed.
  private static let timeoutCost = 10

  private let lock = Lock()
  private var balance = RetryBudget.capacity

  /// Pays for one more attempt; false where there is not enough left.
  func withdraw(afterTimeout: Bool) -> Bool {
    lock.withLock {
      let cost = afterTimeout ? RetryBudget.timeoutCost : RetryBudget.retryCost
      guard balance >= cost else { return false }
      balance -= cost
      return true
    }
  }

  /// Takes note of a call that succeeded.
  func noteSuccess() {
    lock.withLock { balance = min(balance + 1, RetryBudget.capacity) }
  }
}
