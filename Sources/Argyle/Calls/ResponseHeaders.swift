/// The header lines of an answer as they were received, searched when one is asked for.
package struct ResponseHeaders: Sendable {
  /// What the headers of most answers take, in bytes.
  private static let usualSize = 448

  /// The lines with their ends.
  private var lines: [UInt8]

  /// Makes headers of lines, each with its end; package-wide for tests alone.
  package init(_ lines: String = "") {
    self.lines = Array(lines.utf8)
  }

  /// Adds a line.
  mutating func append(_ line: UnsafeRawBufferPointer) {
    if lines.isEmpty { lines.reserveCapacity(ResponseHeaders.usualSize) }
    lines.append(contentsOf: line)
  }

  /// The value of the first header of that name, in any case of letters; nil where there is none.
  package subscript(name: String) -> String? {
    guard !name.utf8.isEmpty else { return nil }
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let key = line.prefix { $0 != UInt8(ascii: ":") }
      guard key.count < line.count, ASCII.areSame(key, name.utf8) else { continue }
      let value = line.dropFirst(key.count + 1)
      guard let first = value.firstIndex(where: { !ResponseHeaders.isBlank($0) }),
        let last = value.lastIndex(where: { !ResponseHeaders.isBlank($0) })
      else { return "" }
      return String(decoding: value[first...last], as: UTF8.self)
    }
    return nil
  }

  private static func isBlank(_ character: UInt8) -> Bool {
    character == UInt8(ascii: " ") || character == UInt8(ascii: "\t")
      || character == UInt8(ascii: "\r")
  }
}
