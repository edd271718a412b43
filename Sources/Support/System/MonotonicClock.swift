import CPlatform

/// The time since some moment in the past, which nobody sets back.
package enum MonotonicClock {
  /// Microseconds.
  package static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}
