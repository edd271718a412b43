import CJansson
import Support

/// What a page says about the next page, read from its text or from jansson's values.
enum PageOutline {
  /// Maximum nesting depth of a page, beyond what a service allows for metadata.
  private static let maximumDepth = 8192

  /// An object with a link to the next page, nil on the last one.
  case envelope(next: String?, isEmpty: Bool)
  /// A bare array of users.
  case array(count: Int, firstID: String?)
  /// An object without an array of users.
  case withoutResults
  case other

  /// Parses a page's text.
  ///
  /// The text does not pass through jansson: a user that jansson cannot represent does not make the page unreadable.
  ///
  /// - Parameters:
  ///   - text: the page.
  ///   - strictly: whether it must be JSON as a whole with an array of users, and not only up to the link.
  /// - Throws: ``JSONTextError`` if the text is not JSON.
  init(_ text: [UInt8], strictly: Bool) throws(JSONTextError) {
    let depth = PageOutline.maximumDepth
    let found =
      strictly
      ? try JSONScanner.scan(text, maximumDepth: depth, member: "next", array: "results")
      : try JSONScanner.find("next", array: "results", in: text, maximumDepth: depth)
    switch found.kind {
    case .object where strictly && found.hasItems == nil:
      self = .withoutResults
    case .object:
      let link = found.member.flatMap { $0.kind == .null ? nil : PageOutline.string($0) }
      self = .envelope(next: link, isEmpty: found.hasItems != true)
    case .array:
      let (count, first) = try JSONScanner.items(of: text, maximumDepth: depth)
      let id =
        count == 0
        ? nil : try JSONScanner.find("id", in: Array(first), maximumDepth: depth).member
      let isText = id?.kind == .string
      self = .array(count: count, firstID: isText ? id.map { PageOutline.string($0) } : nil)
    default:
      self = .other
    }
  }

  /// Reads a parsed page.
  init(_ page: UserPageDocument) {
    let count = page.results.count
    if page.isBareArray {
      self = .array(count: count, firstID: page.results.item(0)?.member("id")?.text)
    } else {
      let next = page.document.member("next")
      let link = next?.type == JSON_NULL ? nil : next.map { $0.text ?? "" }
      self = .envelope(next: link, isEmpty: count == 0)
    }
  }

  private static func string(_ value: JSONValue) -> String {
    String(decoding: value.characters, as: UTF8.self)
  }
}
