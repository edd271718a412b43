import CPlatform

/// A mutex over `pthread_mutex_t`: Embedded Swift has no `Mutex`.
package final class Lock: @unchecked Sendable {
  // A mutex must not move, so it has memory of its own. Unchecked: it exists to be shared.
  package let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }

  package func unlock() { pthread_mutex_unlock(mutex) }

  /// Runs `body` while holding the lock.
  package func withLock<Result>(_ body: () -> Result) -> Result {
    lock()
    defer { unlock() }
    return body()
  }

  /// Runs `body` while holding the lock; returns nil without running it if the lock is taken.
  package func withLockIfAvailable<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard pthread_mutex_trylock(mutex) == 0 else { return nil }
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}
