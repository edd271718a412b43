/// Comparison of texts that are written in ASCII.
package enum ASCII {
  /// Whether two texts are the same but for the case of letters.
  package static func areSame(
    _ left: some Collection<UInt8>,
    _ right: some Collection<UInt8>
  ) -> Bool {
    left.count == right.count
      && zip(left, right).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
  }
}
