extension String {
  /// The most characters of a text from outside that a message repeats.
  private static let maxQuoteLength = 200

  /// A text from outside, fit for one line of a log: control characters made spaces, and cut at a length.
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
