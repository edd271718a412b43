import CPlatform
import Support

/// A lock with a condition variable on which one thread can wait.
final class Monitor {
  private let mutex = Lock()
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
  }

  func lock() { mutex.lock() }

  func unlock() { mutex.unlock() }

  func withLock<Result>(_ body: () -> Result) -> Result { mutex.withLock(body) }

  /// Wakes the waiting thread.
  func signal() { pthread_cond_signal(condition) }

  /// Releases the lock and waits until the moment, or indefinitely if nil; may return early.
  func wait(until moment: Moment?) {
    guard let moment else {
      pthread_cond_wait(condition, mutex.mutex)
      return
    }
    var time = moment.time
    pthread_cond_timedwait(condition, mutex.mutex, &time)
  }
}
