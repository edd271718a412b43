import CPlatform
import Support

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
    let fraction = "\(1000 + milliseconds % 1000)".utf8.dropFirst()
    return formatted("%Y-%m-%dT%H:%M:%S.") + String(decoding: fraction, as: UTF8.self) + "Z"
  }

  /// The time in ISO 8601 with six digits of a second, such as `2022-04-22T14:26:40.682000Z`.
  var microsecondText: String {
    String(decoding: text.utf8.dropLast(), as: UTF8.self) + "000Z"
  }

  /// The time as an HTTP date, such as `Fri, 22 Apr 2022 14:26:40 GMT`.
  var httpDate: String {
    // Not by strftime, whose names depend on the host's locale.
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let parts = universalTime
    let (day, month) = (days[Int(parts.tm_wday) % 7], months[Int(parts.tm_mon) % 12])
    return "\(day), \(formatted("%d")) \(month) \(formatted("%Y %H:%M:%S")) GMT"
  }

  private var universalTime: tm {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    return parts
  }

  /// Formats numbers as `strftime` does.
  private func formatted(_ format: StaticString) -> String {
    var parts = universalTime
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, format.cString, &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
