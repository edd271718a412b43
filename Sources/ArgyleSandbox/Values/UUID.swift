import Support

/// 128 bits in the form 8-4-4-4-12; the version and variant bits are arbitrary.
struct UUID: Equatable {
  private let high: UInt64
  private let low: UInt64

  private init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Creates a random UUID of version 4.
  static func random() -> UUID {
    var generator = SystemRandomNumberGenerator()
    return UUID(
      high: generator.next() & ~0xF000 | 0x4000,
      low: generator.next() & ~(0b11 << 62) | 0b10 << 62
    )
  }

  /// Creates a UUID whose first 48 bits are the time, like a ULID's.
  static func timeOrdered(_ time: Timestamp) -> UUID {
    var generator = SystemRandomNumberGenerator()
    return timeOrdered(time, using: &generator)
  }

  static func timeOrdered(
    _ time: Timestamp,
    using generator: inout some RandomNumberGenerator
  ) -> UUID {
    let milliseconds = UInt64(truncatingIfNeeded: time.milliseconds)
    return UUID(high: milliseconds << 16 | generator.next() & 0xFFFF, low: generator.next())
  }

  init?(_ text: some Collection<UInt8>) {
    guard text.count == 36 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    var digits = 0
    for (position, byte) in text.enumerated() {
      switch position {
      case 8, 13, 18, 23:
        guard byte == UInt8(ascii: "-") else { return nil }
      default:
        guard let value = byte.hexadecimalValue else { return nil }
        if digits < 16 { high = high << 4 | UInt64(value) } else { low = low << 4 | UInt64(value) }
        digits += 1
      }
    }
    self.init(high: high, low: low)
  }

  /// The UUID in lower case.
  var text: String {
    var bytes = Bytes()
    bytes.reserveCapacity(36)
    for digit in 0..<32 {
      switch digit {
      case 8, 12, 16, 20: bytes.append(UInt8(ascii: "-"))
      default: break
      }
      let half = digit < 16 ? high : low
      bytes.append(UInt8.hexadecimalDigit(of: UInt8(half >> UInt64(60 - digit % 16 * 4) & 0xF)))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
