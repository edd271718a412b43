import Support

/// The text of a valid JSON object.
struct JSONObjectText {
  private let text: Bytes

  /// Takes over text that is known to be an object.
  init(_ text: Bytes) {
    self.text = text
  }

  /// Returns the last member with a name; nil if absent.
  func member(_ name: String) -> JSONValue? {
    // Its depth was limited when it was validated.
    let document = try? JSONScanner.scan(text, maximumDepth: .max, member: name)
    return document?.member
  }
}
