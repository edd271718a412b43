extension String {
  /// The text with what may be the user name and password of a URL blacked out.
  ///
  /// A URL that is wrong may have any character in them, so that it is all up to the last "@".
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
