/// Comparison of texts that are written in ASCII.
package enum ASCII {
  /// Whether two texts are the same but for the case of letters.
  package static func areSame(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>)
    -> Bool
  {
    left.count == right.count && zip(left, right).allSatisfy { lowerCase($0) == lowerCase($1) }
  }

  private static func lowerCase(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
