import Support

/// The header lines of an answer as they were received, searched when one is asked for.
package struct ResponseHeaders: Sendable {
  /// What the headers of most answers take, in bytes.
  private static let typicalSize = 448

  /// The lines with their ends.
  private var lines: [UInt8]

  /// Makes headers of lines, each with its end; package-wide for tests alone.
  package init(_ lines: String = "") {
    self.lines = Array(lines.utf8)
  }

  /// Adds a line.
  package mutating func append(_ line: UnsafeRawBufferPointer) {
    if lines.isEmpty { lines.reserveCapacity(ResponseHeaders.typicalSize) }
    lines.append(contentsOf: line)
  }

  /// The value of the first header of that name, in any case of letters; nil where there is none.
  package subscript(name: String) -> String? {
    guard !name.utf8.isEmpty else { return nil }
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      guard let key = ResponseHeaders.name(in: line), ASCII.areSame(key, name.utf8) else {
        continue
      }
      return ResponseHeaders.value(in: line, after: key)
    }
    return nil
  }

  /// All headers in the order of their lines, with names as they were received.
  package var all: [(name: String, value: String)] {
    lines.split(separator: UInt8(ascii: "\n")).compactMap { line in
      ResponseHeaders.name(in: line).map { name in
        (String(decoding: name, as: UTF8.self), ResponseHeaders.value(in: line, after: name))
      }
    }
  }

  /// The name that a line begins with; nil where it has none, as one that goes on with the line before.
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
