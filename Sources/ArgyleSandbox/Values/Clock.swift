/// The sandbox's time, which can be moved.
final class Clock {
  /// How far it is moved at most: some twenty years back, or thirty forth.
  ///
  /// From a system's clock that is right, times in seconds then have ten digits, those at which tokens expire
  /// too; the length of an access token hangs on that.
  static var offsets: ClosedRange<Int> { -700_000_000...1_000_000_000 }

  /// How many seconds it is ahead of the system's.
  var offsetSeconds = 0

  func now() -> Timestamp {
    Timestamp(milliseconds: Timestamp.systemNow().milliseconds + Int64(offsetSeconds) * 1000)
  }
}
