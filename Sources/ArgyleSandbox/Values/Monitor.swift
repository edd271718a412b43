import CPlatform

/// A lock on which a thread can wait.
final class Monitor {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }

  func unlock() { pthread_mutex_unlock(mutex) }

  func withLock<Result>(_ body: () -> Result) -> Result {
    lock()
    defer { unlock() }
    return body()
  }

  /// Wakes the thread that waits.
  func signal() { pthread_cond_signal(condition) }

  /// Lets go of the lock until the moment, or for ever where there is none; may return earlier.
  func wait(until moment: Moment?) {
    guard let moment else {
      pthread_cond_wait(condition, mutex)
      return
    }
    var time = moment.time
    pthread_cond_timedwait(condition, mutex, &time)
  }
}
