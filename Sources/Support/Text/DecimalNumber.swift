/// Parses an unsigned decimal number of digits only, clamped to `limit`; returns nil if it is not one.
package func decimalNumber(_ digits: some Collection<UInt8>, limit: Int) -> Int? {
  if digits.isEmpty { return nil }
  var number = 0
  for digit in digits {
    guard digit.isASCIIDigit else { return nil }
    if number < limit { number = number * 10 + Int(digit - UInt8(ascii: "0")) }
  }
  return min(number, limit)
}
