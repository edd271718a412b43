import Support

/// Limits a client's retries, so that an outage does not cause a storm of requests.
///
/// Each retry withdraws from it, each success deposits a little. All threads and queues that use a client share its
/// budget.
final class RetryBudget: @unchecked Sendable {
  // Unchecked: mutable state is accessed only under the lock.
  private static let capacity = 500
  private static let retryCost = 5
  /// A timeout costs more: the service is probably overloaded.
  private static let timeoutCost = 10

  private let lock = Lock()
  private var balance = RetryBudget.capacity

  /// Withdraws the cost of one retry; returns false if the balance is too low.
  func withdraw(afterTimeout: Bool) -> Bool {
    lock.withLock {
      let cost = afterTimeout ? RetryBudget.timeoutCost : RetryBudget.retryCost
      guard balance >= cost else { return false }
      balance -= cost
      return true
    }
  }

  /// Deposits for a successful call.
  func deposit() {
    lock.withLock { balance = min(balance + 1, RetryBudget.capacity) }
  }
}
