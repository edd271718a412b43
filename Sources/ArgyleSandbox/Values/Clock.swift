/// The sandbox's time, which can be moved.
final class Clock {
  /// How far it is moved at most, either way: about thirty years, which stay far from 1970 and 9999.
  static var maximumOffset: Int { 1_000_000_000 }

  /// How many seconds it is ahead of the system's.
  var offsetSeconds = 0

  func now() -> Timestamp {
    Timestamp(milliseconds: Timestamp.systemNow().milliseconds + Int64(offsetSeconds) * 1000)
  }
}
