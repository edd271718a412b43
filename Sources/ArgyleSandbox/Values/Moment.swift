import CPlatform
import Support

/// A time of the monotonic clock, in microseconds.
struct Moment: Comparable {
  private var microseconds: Int64

  static func now() -> Moment {
    Moment(microseconds: MonotonicClock.now)
  }

  var time: timespec {
    timespec(
      tv_sec: Int(microseconds / 1_000_000),
      tv_nsec: Int(microseconds % 1_000_000) * 1000
    )
  }

  /// Microseconds from another moment to this one.
  func since(_ other: Moment) -> Int { Int(microseconds - other.microseconds) }

  func adding(milliseconds: Int) -> Moment { adding(microseconds: milliseconds * 1000) }

  func adding(microseconds: Int) -> Moment {
    Moment(microseconds: self.microseconds + Int64(microseconds))
  }

  static func < (one: Moment, other: Moment) -> Bool { one.microseconds < other.microseconds }
}
