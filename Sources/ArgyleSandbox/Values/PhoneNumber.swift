import Support

/// The rule for phone numbers.
enum PhoneNumber {
  /// Returns a number in the form of E.164, such as `+12125555555`; nil if it is invalid.
  ///
  /// An international number has a plus sign and 8 to 15 digits, the first of which is not 0. Others are numbers of the
  /// US: ten digits, the first of which is not 0 or 1, and possibly a 1 before them. Whether a number is assigned is
  /// not checked. Spaces, dots, hyphens and parentheses are ignored.
  static func normalize(_ text: Bytes) -> Bytes? {
    var digits = text.filter { !" .-()".utf8.contains($0) }
    let isInternational = digits.first == UInt8(ascii: "+")
    if isInternational { digits.removeFirst() }
    guard let first = digits.first, first != UInt8(ascii: "0"),
      digits.allSatisfy({ $0.isASCIIDigit })
    else { return nil }
    let one = UInt8(ascii: "1")
    if isInternational, first != one {
      return 8...15 ~= digits.count ? Bytes("+".utf8) + digits : nil
    }
    if first == one { digits.removeFirst() }
    guard digits.count == 10, digits[0] > one else { return nil }
    return Bytes("+1".utf8) + digits
  }
}
