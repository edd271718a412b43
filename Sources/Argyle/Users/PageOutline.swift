import Support

/// What the text of a page says of the pages after it.
enum PageOutline {
  /// How deep a page is looked into: deeper than a service lets metadata be.
  private static let maximumDepth = 8192

  /// An object with a link to the next page, nil on the last one.
  case envelope(next: String?)
  /// A bare array of so many users.
  case array(count: Int, firstID: String?)
  /// Something else.
  case other

  /// Reads a text, of which what stands behind the link need not be JSON.
  init(_ text: [UInt8]) throws(JSONTextError) {
    let depth = PageOutline.maximumDepth
    let (kind, next) = try JSONScanner.find("next", in: text, maximumDepth: depth)
    switch kind {
    case .object:
      self = .envelope(next: next.flatMap { $0.kind == .null ? nil : PageOutline.string($0) })
    case .array:
      let (count, first) = try JSONScanner.items(of: text, maximumDepth: depth)
      let id =
        count == 0
        ? nil : try JSONScanner.find("id", in: Array(first), maximumDepth: depth).member
      self = .array(count: count, firstID: id.map { PageOutline.string($0) })
    default:
      self = .other
    }
  }

  private static func string(_ value: JSONValue) -> String {
    String(decoding: value.characters, as: UTF8.self)
  }
}
