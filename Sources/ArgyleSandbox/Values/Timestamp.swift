import CPlatform

/// A time in milliseconds since 1970 UTC.
struct Timestamp {
  let milliseconds: Int64

  static func systemNow() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// Whole seconds since 1970 UTC.
  var seconds: Int { Int(milliseconds / 1000) }

  /// The time in ISO 8601, such as `2022-04-22T14:26:40.682Z`.
  var text: String {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    let year = padded(Int(parts.tm_year) + 1900, to: 4)
    let month = padded(Int(parts.tm_mon) + 1, to: 2)
    let day = padded(Int(parts.tm_mday), to: 2)
    let hour = padded(Int(parts.tm_hour), to: 2)
    let minute = padded(Int(parts.tm_min), to: 2)
    let second = padded(Int(parts.tm_sec), to: 2)
    let fraction = padded(Int(milliseconds % 1000), to: 3)
    return "\(year)-\(month)-\(day)T\(hour):\(minute):\(second).\(fraction)Z"
  }

  /// The time as an HTTP date, such as `Fri, 22 Apr 2022 14:26:40 GMT`.
  var httpDate: String {
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    let date = "\(padded(Int(parts.tm_mday), to: 2)) \(months[Int(parts.tm_mon) % 12])"
    let clock =
      "\(padded(Int(parts.tm_hour), to: 2)):\(padded(Int(parts.tm_min), to: 2))"
      + ":\(padded(Int(parts.tm_sec), to: 2))"
    return "\(days[Int(parts.tm_wday) % 7]), \(date) \(Int(parts.tm_year) + 1900) \(clock) GMT"
  }

  private func padded(_ number: Int, to width: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}
