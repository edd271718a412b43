extension Duration {
  /// The time in milliseconds; nil unless it is between 1 and what 32 bits hold.
  package var wholeMilliseconds: Int? {
    let parts = components
    // Bounded first, so that nothing below can overflow.
    guard (0...Int64(Int32.max)).contains(parts.seconds) else { return nil }
    let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
    return (1...Int64(Int32.max)).contains(milliseconds) ? Int(milliseconds) : nil
  }
}
