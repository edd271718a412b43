extension String {
  /// Maximum number of characters of foreign text that a message quotes.
  private static let maxQuoteLength = 200

  /// The text fit for one line of a log: control characters become spaces, and the length is limited.
  package var printable: String {
    var line = ""
    var count = 0
    for scalar in unicodeScalars {
      if count == String.maxQuoteLength { return line + "…" }
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      // Line and paragraph separators end a line for some readers.
      let isSeparator = scalar.value == 0x2028 || scalar.value == 0x2029
      line.unicodeScalars.append(isControl || isSeparator ? " " : scalar)
      count += 1
    }
    return line
  }
}
