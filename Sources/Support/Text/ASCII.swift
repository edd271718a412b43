/// Comparison of ASCII texts.
package enum ASCII {
  /// Whether two texts are equal, case-insensitively.
  package static func areEqualIgnoringCase(
    _ left: some Collection<UInt8>,
    _ right: some Collection<UInt8>
  ) -> Bool {
    left.count == right.count
      && zip(left, right).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
  }
}
