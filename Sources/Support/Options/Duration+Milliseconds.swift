extension Duration {
  /// The duration in milliseconds; nil unless it is between 1 and `Int32.max`.
  package var wholeMilliseconds: Int? {
    let parts = components
    // Checked first, so that nothing below can overflow.
    guard (0...Int64(Int32.max)).contains(parts.seconds) else { return nil }
    let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
    return (1...Int64(Int32.max)).contains(milliseconds) ? Int(milliseconds) : nil
  }
}
