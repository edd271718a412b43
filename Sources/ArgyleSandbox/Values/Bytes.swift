/// Text as UTF-8, or what claims to be.
///
/// Comparing bytes needs no Unicode tables, which Embedded Swift would have to link.
typealias Bytes = [UInt8]

extension Sequence where Element == UInt8 {
  func matches(_ text: String) -> Bool {
    elementsEqual(text.utf8)
  }

  /// Compares as HTTP compares names: letters of ASCII in either case are the same.
  func matchesIgnoringCase(_ text: String) -> Bool {
    elementsEqual(text.utf8) { $0.asciiLowercased == $1.asciiLowercased }
  }
}

extension UInt8 {
  var asciiLowercased: UInt8 {
    switch self {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): self | 0x20
    default: self
    }
  }

  var isASCIIDigit: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: false
    }
  }

  var isASCIILetter: Bool {
    switch asciiLowercased {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    default: false
    }
  }

  /// The value of a hexadecimal digit.
  var hexadecimalValue: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    default: nil
    }
  }

  /// A space or a tab, which HTTP allows around values.
  var isHTTPSpace: Bool {
    self == UInt8(ascii: " ") || self == UInt8(ascii: "\t")
  }
}

/// The digit of a value below 16.
func hexadecimalDigit(_ value: UInt8, uppercase: Bool = false) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: uppercase ? "A" : "a") + (value - 10)
}

/// Reads an unsigned decimal number of digits only; one that is very large becomes `limit`.
func decimalNumber(_ digits: some Collection<UInt8>, limit: Int) -> Int? {
  if digits.isEmpty { return nil }
  var number = 0
  for digit in digits {
    guard digit.isASCIIDigit else { return nil }
    if number < limit { number = number * 10 + Int(digit - UInt8(ascii: "0")) }
  }
  return min(number, limit)
}
