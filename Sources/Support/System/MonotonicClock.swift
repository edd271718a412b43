import CPlatform

/// A monotonic clock that is never set back, with an arbitrary start.
package enum MonotonicClock {
  /// The current time in microseconds.
  package static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}
