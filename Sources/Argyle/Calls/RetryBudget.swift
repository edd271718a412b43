import Support

/// How many attempts a client may still repeat: what keeps an outage from being answered with a storm of requests.
///
/// Each repeated attempt takes from it, each success gives a little back. All threads and queues that share a client
/// share its budget.
final class RetryBudget: @unchecked Sendable {
  // Unchecked: what changes is touched under the lock only.
  private static let full = 500
  private static let price = 5
  /// A time-out costs more: the service is likely to be overwhelmed.
  private static let priceOfTimeOut = 10

  private let lock = Lock()
  private var left = RetryBudget.full

  /// Pays for one more attempt; false where there is not enough left.
  func pay(afterTimeOut: Bool) -> Bool {
    lock.withLock {
      let price = afterTimeOut ? RetryBudget.priceOfTimeOut : RetryBudget.price
      guard left >= price else { return false }
      left -= price
      return true
    }
  }

  /// Takes note of a call that succeeded.
  func noteSuccess() {
    lock.withLock { left = min(left + 1, RetryBudget.full) }
  }
}
