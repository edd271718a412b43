import CPlatform
import Support

/// A lock on which a thread can wait.
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

  /// Wakes the thread that waits.
  func signal() { pthread_cond_signal(condition) }

  /// Lets go of the lock until the moment, or for ever where there is none; may return earlier.
  func wait(until moment: Moment?) {
    guard let moment else {
      pthread_cond_wait(condition, mutex.mutex)
      return
    }
    var time = moment.time
    pthread_cond_timedwait(condition, mutex.mutex, &time)
  }
}
