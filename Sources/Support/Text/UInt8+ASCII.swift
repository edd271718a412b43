extension UInt8 {
  /// The character in lower case, if it is an upper-case letter.
  package var asciiLowercased: UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
  }

  /// Whether it is 0 to 9.
  package var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

  /// Whether it is A to Z or a to z.
  package var isASCIILetter: Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(asciiLowercased)
  }

  /// The value of a hexadecimal digit; nil for other characters.
  package var hexadecimalValue: UInt8? {
    if isASCIIDigit { return self - UInt8(ascii: "0") }
    let letter = asciiLowercased
    return (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(letter)
      ? letter - UInt8(ascii: "a") + 10 : nil
  }

  /// The hexadecimal digit for a value below 16.
  package static func hexadecimalDigit(of value: UInt8, uppercase: Bool = false) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: uppercase ? "A" : "a") + (value - 10)
  }
}
