import Support

/// Header lines as received, parsed only when one is looked up.
package struct ResponseHeaders: Sendable {
  /// Size of most responses' headers, in bytes.
  private static let typicalSize = 448

  /// The lines with their line ends.
  private var lines: [UInt8]

  /// Creates headers from lines with their line ends; `package` only for tests.
  package init(_ lines: String = "") {
    self.lines = Array(lines.utf8)
  }

  package mutating func append(_ line: UnsafeRawBufferPointer) {
    if lines.isEmpty { lines.reserveCapacity(ResponseHeaders.typicalSize) }
    lines.append(contentsOf: line)
  }

  /// Value of the first header with this name, case-insensitive; nil if absent.
  package subscript(name: String) -> String? {
    guard !name.utf8.isEmpty else { return nil }
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      guard let key = ResponseHeaders.name(in: line), ASCII.areEqualIgnoringCase(key, name.utf8)
      else {
        continue
      }
      return ResponseHeaders.value(in: line, after: key)
    }
    return nil
  }

  /// All headers in the order received, with names as received.
  package var all: [(name: String, value: String)] {
    lines.split(separator: UInt8(ascii: "\n")).compactMap { line in
      ResponseHeaders.name(in: line).map { name in
        (String(decoding: name, as: UTF8.self), ResponseHeaders.value(in: line, after: name))
      }
    }
  }

  /// Returns the name in a line; nil if it has none, like a continuation line.
  private static func name(in line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let name = line.prefix { $0 != UInt8(ascii: ":") }
    guard name.count < line.count, let first = name.first, !isBlank(first) else { return nil }
    return name
  }

  private static func value(in line: ArraySlice<UInt8>, after name: ArraySlice<UInt8>) -> String {
    let value = line.dropFirst(name.count + 1)
    guard let first = value.firstIndex(where: { !isBlank($0) }),
      let last = value.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(decoding: value[first...last], as: UTF8.self)
  }

  private static func isBlank(_ character: UInt8) -> Bool {
    character == UInt8(ascii: " ") || character == UInt8(ascii: "\t")
      || character == UInt8(ascii: "\r")
  }
}
