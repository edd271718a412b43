import Support

/// Checks the content and transfer codings that response headers declare.
///
/// libcurl decodes any number of chained codings without a limit between them: a kilobyte can keep it busy for minutes
/// without output. One content coding is enough, and chunked is the only transfer coding that was asked for.
struct Codings {
  private enum Field {
    case content
    case transfer
    case other
  }

  /// The field of the last line, which the next line may continue.
  private var field = Field.other
  private var contentCodings = 0
  private var transferCodings = 0

  /// Why the body must not be decoded; nil if it may be.
  private(set) var fault: String?

  /// Parses a header line.
  mutating func parse(_ line: UnsafeRawBufferPointer) {
    var value = line[...]
    // A line that starts with whitespace continues the one before.
    if line.first != UInt8(ascii: " "), line.first != UInt8(ascii: "\t") {
      field = .other
      // Most lines declare no coding.
      guard let first = line.first,
        "ct".utf8.contains(first.asciiLowercased),
        let colon = line.firstIndex(of: UInt8(ascii: ":"))
      else { return }
      let name = line[..<colon]
      if ASCII.areEqualIgnoringCase(name, "Content-Encoding".utf8) {
        field = .content
      } else if ASCII.areEqualIgnoringCase(name, "Transfer-Encoding".utf8) {
        field = .transfer
      }
      value = line[(colon + 1)...]
    }
    guard field != .other else { return }
    for part in value.split(separator: UInt8(ascii: ",")) { parse(coding: part) }
  }

  private mutating func parse(coding part: Slice<UnsafeRawBufferPointer>) {
    let isBlank = { (byte: UInt8) in byte <= UInt8(ascii: " ") }
    let start = part.drop(while: isBlank)
    guard let last = start.lastIndex(where: { !isBlank($0) }) else { return }
    let coding = start[...last]
    if field == .content {
      contentCodings += 1
      if contentCodings > 1 { fault = "the response has more than one Content-Encoding" }
    } else {
      transferCodings += 1
      if transferCodings > 1 || !ASCII.areEqualIgnoringCase(coding, "chunked".utf8) {
        fault = "the response has a Transfer-Encoding other than chunked"
      }
    }
  }
}
