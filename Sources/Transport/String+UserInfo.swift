extension String {
  /// The text with a URL's user name and password redacted.
  ///
  /// In an invalid URL they may contain any character, so everything up to the last "@" is redacted.
  var redactingUserInfo: String {
    let text = Array(utf8)
    let at = UInt8(ascii: "@")
    guard let end = text.lastIndex(of: at),
      let start = text.indices.first(where: { text[$0...].starts(with: "//".utf8) }), start < end
    else { return self }
    let parts = [Array(text[..<(start + 2)]), Array("[redacted]".utf8), Array(text[end...])]
    return String(decoding: Array(parts.joined()), as: UTF8.self)
  }
}
