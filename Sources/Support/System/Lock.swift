import CPlatform

/// A mutual exclusion over `pthread_mutex_t`: Embedded Swift has no `Mutex`.
package final class Lock: @unchecked Sendable {
  // A mutex has to stay where it is, hence memory of its own. Unchecked: locking is what it is made for.
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

  /// Runs a body that no other thread runs at the same time.
  package func withLock<Result>(_ body: () -> Result) -> Result {
    lock()
    defer { unlock() }
    return body()
  }

  /// Runs a body that no other thread runs at the same time; nil, and nothing is run, where one does.
  package func withLockIfAvailable<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard pthread_mutex_trylock(mutex) == 0 else { return nil }
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}
