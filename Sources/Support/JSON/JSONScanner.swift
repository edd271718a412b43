/// A strict scanner for RFC 8259 that keeps the text and creates no values.
///
/// Metadata round-trips exactly only because it is never re-encoded: numbers beyond any type, escapes, duplicate keys
/// and order all survive. The scanner keeps its own stack, so nesting depth uses no call frames.
package struct JSONScanner {
  private let text: [UInt8]
  private let maximumDepth: Int
  private let wantedKey: String?
  /// The key of the member that may be an array.
  private let arrayKey: String?
  private var position = 0
  /// Closing bytes of the open objects and arrays.
  private var open: [UInt8] = []
  private var wantedStart: Int?
  private var wantedKind = JSONKind.null
  private var wanted: JSONValue?
  private var isArrayNext = false
  /// Whether the last member with `arrayKey` has items; nil if it is no array.
  private var hasItems: Bool?
  /// The key of the first member of the document that is not wanted.
  private var otherKey: ArraySlice<UInt8>?
  /// Number of values directly in the document.
  private var itemCount = 0
  /// Range of the first of them.
  private var firstItem = 0..<0

  /// Validates a document; returns its kind and, for an object, the last member with a key.
  ///
  /// - Parameters:
  ///   - text: the document, as UTF-8.
  ///   - maximumDepth: maximum nesting of objects and arrays.
  ///   - key: the member's name; nil for none.
  ///   - array: the name of a member that may be an array; nil for none.
  /// - Returns: what was found.
  /// - Throws: ``JSONTextError`` if the text is not JSON or is nested too deeply.
  package static func scan(
    _ text: [UInt8],
    maximumDepth: Int,
    member key: String? = nil,
    array: String? = nil
  ) throws(JSONTextError) -> JSONScan {
    var scanner = JSONScanner(text, maximumDepth: maximumDepth, wantedKey: key, arrayKey: array)
    let kind = try scanner.scanDocument()
    return scanner.found(kind)
  }

  /// Finds the last member with a key in an object, as far as the text is valid.
  ///
  /// It succeeds even if the text is truncated or invalid after such a member.
  ///
  /// - Parameters:
  ///   - key: the member's name.
  ///   - array: the name of a member that may be an array; nil for none.
  ///   - text: the document, as UTF-8.
  ///   - maximumDepth: maximum nesting of objects and arrays.
  /// - Returns: what was found.
  /// - Throws: ``JSONTextError`` if the text is not JSON or is nested too deeply before a member is found.
  package static func find(
    _ key: String,
    array: String? = nil,
    in text: [UInt8],
    maximumDepth: Int
  ) throws(JSONTextError) -> JSONScan {
    var scanner = JSONScanner(text, maximumDepth: maximumDepth, wantedKey: key, arrayKey: array)
    do {
      let kind = try scanner.scanDocument()
      return scanner.found(kind)
    } catch {
      guard scanner.wanted != nil else { throw error }
      return scanner.found(.object)
    }
  }

  private func found(_ kind: JSONKind) -> JSONScan {
    let otherName = otherKey.map { String(decoding: unescape($0), as: UTF8.self) }
    return JSONScan(kind: kind, member: wanted, hasItems: hasItems, otherName: otherName)
  }

  /// Counts the items of an array and returns the text of the first.
  ///
  /// - Parameters:
  ///   - text: the document, as UTF-8.
  ///   - maximumDepth: maximum nesting of objects and arrays.
  /// - Returns: the number of items, and the first one's text, empty if there is none.
  /// - Throws: ``JSONTextError`` if the text is not JSON or is nested too deeply.
  package static func items(
    of text: [UInt8],
    maximumDepth: Int
  ) throws(JSONTextError) -> (count: Int, first: ArraySlice<UInt8>) {
    var scanner = JSONScanner(text, maximumDepth: maximumDepth, wantedKey: nil)
    _ = try scanner.scanDocument()
    return (scanner.itemCount, text[scanner.firstItem])
  }

  private init(
    _ text: [UInt8],
    maximumDepth: Int,
    wantedKey: String?,
    arrayKey: String? = nil
  ) {
    self.text = text
    self.maximumDepth = maximumDepth
    self.wantedKey = wantedKey
    self.arrayKey = arrayKey
  }

  private mutating func scanDocument() throws(JSONTextError) -> JSONKind {
    skipSpace()
    var documentKind: JSONKind?
    repeat {
      let opened = open.count
      if opened == 1, itemCount == 0 { firstItem = position..<position }
      let kind = try scanValueStart()
      if documentKind == nil { documentKind = kind }
      if wantedStart != nil, opened == 1 { wantedKind = kind }
      if isArrayNext, opened == 1 {
        hasItems = kind == .array ? open.count > opened : nil
        isArrayNext = false
      }
      // A non-empty object or array continues with its first value.
      if open.count > opened { continue }
      try scanAfterValue()
    } while !open.isEmpty
    skipSpace()
    if position < text.count { throw failure("Extra data") }
    return documentKind ?? .null
  }

  /// Scans a scalar, an empty object or array, or the start of one up to its first value.
  private mutating func scanValueStart() throws(JSONTextError) -> JSONKind {
    guard let first = current else { throw failure("Expecting value") }
    switch first {
    case UInt8(ascii: "{"):
      try enter(closing: UInt8(ascii: "}"))
      if current == UInt8(ascii: "}") { leave() } else { try scanKey() }
      return .object
    case UInt8(ascii: "["):
      try enter(closing: UInt8(ascii: "]"))
      if current == UInt8(ascii: "]") { leave() }
      return .array
    case UInt8(ascii: "\""):
      try scanString()
      return .string
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return try scanNumber()
    case UInt8(ascii: "t"):
      try scanLiteral("true")
      return .boolean
    case UInt8(ascii: "f"):
      try scanLiteral("false")
      return .boolean
    case UInt8(ascii: "n"):
      try scanLiteral("null")
      return .null
    default:
      throw failure("Expecting value")
    }
  }

  /// Closes what ends with this value, then advances to the next value, if any.
  private mutating func scanAfterValue() throws(JSONTextError) {
    while let closing = open.last {
      if open.count == 1 {
        if itemCount == 0 { firstItem = firstItem.lowerBound..<position }
        itemCount += 1
      }
      if open.count == 1, let start = wantedStart {
        wanted = JSONValue(kind: wantedKind, text: text[start..<position])
        wantedStart = nil
      }
      skipSpace()
      if current == closing {
        leave()
        continue
      }
      guard current == UInt8(ascii: ",") else { throw failure("Expecting ',' delimiter") }
      position += 1
      skipSpace()
      if closing == UInt8(ascii: "}") { try scanKey() }
      return
    }
  }

  private mutating func enter(closing: UInt8) throws(JSONTextError) {
    if open.count == maximumDepth {
      throw JSONTextError(reason: "Nested too deeply", offset: position, isTooDeep: true)
    }
    open.append(closing)
    position += 1
    skipSpace()
  }

  private mutating func leave() {
    open.removeLast()
    position += 1
  }

  /// Scans a member's key and colon.
  private mutating func scanKey() throws(JSONTextError) {
    let start = position
    guard current == UInt8(ascii: "\"") else {
      throw failure("Expecting property name enclosed in double quotes")
    }
    try scanString()
    let key = text[(start + 1)..<(position - 1)]
    skipSpace()
    guard current == UInt8(ascii: ":") else { throw failure("Expecting ':' delimiter") }
    position += 1
    skipSpace()
    guard open.count == 1, let wantedKey else { return }
    let name = unescape(key)
    if name.elementsEqual(wantedKey.utf8) {
      wantedStart = position
    } else if otherKey == nil {
      otherKey = key
    }
    if let arrayKey { isArrayNext = name.elementsEqual(arrayKey.utf8) }
  }

  private mutating func scanString() throws(JSONTextError) {
    let start = position
    position += 1
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return
      case UInt8(ascii: "\\"):
        try scanEscape()
      case 0x00..<0x20:
        throw failure("Invalid control character at")
      case 0x80...0xFF:
        try scanMultibyteCharacter(lead: byte)
      default:
        position += 1
      }
    }
    throw JSONTextError(reason: "Unterminated string starting at", offset: start)
  }

  private mutating func scanEscape() throws(JSONTextError) {
    let start = position
    position += 1
    switch current {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 1
    case UInt8(ascii: "u"):
      position += 1
      for _ in 0..<4 {
        guard current?.hexadecimalValue != nil else {
          throw JSONTextError(reason: "Invalid \\uXXXX escape", offset: start)
        }
        position += 1
      }
    default:
      throw JSONTextError(reason: "Invalid \\escape", offset: start)
    }
  }

  /// Accepts only the well-formed sequences of Unicode's table 3-7.
  private mutating func scanMultibyteCharacter(lead: UInt8) throws(JSONTextError) {
    let following: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: following = 1
    case 0xE0...0xEF:
      following = 2
      if lead == 0xE0 { second = 0xA0...0xBF }
      if lead == 0xED { second = 0x80...0x9F }
    case 0xF0...0xF4:
      following = 3
      if lead == 0xF0 { second = 0x90...0xBF }
      if lead == 0xF4 { second = 0x80...0x8F }
    default: throw failure("Invalid UTF-8")
    }
    let start = position
    position += 1
    for index in 0..<following {
      guard let byte = current, (index == 0 ? second : 0x80...0xBF).contains(byte) else {
        throw JSONTextError(reason: "Invalid UTF-8", offset: start)
      }
      position += 1
    }
  }

  private mutating func scanNumber() throws(JSONTextError) -> JSONKind {
    var kind = JSONKind.integer
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") { position += 1 } else { try scanDigits() }
    if current == UInt8(ascii: ".") {
      kind = .fraction
      position += 1
      try scanDigits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      kind = .fraction
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try scanDigits()
    }
    return kind
  }

  private mutating func scanDigits() throws(JSONTextError) {
    guard let first = current, first.isASCIIDigit else { throw failure("Expecting digit") }
    while let byte = current, byte.isASCIIDigit { position += 1 }
  }

  private mutating func scanLiteral(_ literal: String) throws(JSONTextError) {
    let end = position + literal.utf8.count
    guard end <= text.count, text[position..<end].elementsEqual(literal.utf8) else {
      throw failure("Expecting value")
    }
    position = end
  }

  private mutating func skipSpace() {
    while let byte = current {
      switch byte {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private var current: UInt8? {
    position < text.count ? text[position] : nil
  }

  private func failure(_ reason: String) -> JSONTextError {
    JSONTextError(reason: reason, offset: position)
  }
}
