/// The sandbox's clock, which can be shifted.
final class Clock {
  /// Valid offsets: about 22 years back to 31 years ahead.
  ///
  /// If the system clock is right, times in seconds then have ten digits, including those when tokens expire; the
  /// length of an access token depends on it.
  static var offsets: ClosedRange<Int> { -700_000_000...1_000_000_000 }

  /// Seconds ahead of the system clock.
  var offsetSeconds = 0

  func now() -> Timestamp {
    Timestamp(milliseconds: Timestamp.systemNow().milliseconds + Int64(offsetSeconds) * 1000)
  }
}
