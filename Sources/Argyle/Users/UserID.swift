import Support

/// A validated user id.
///
/// Only the service compares ids: version and variant are not checked, nor whether they are UUIDs at all.
package struct UserID: Sendable {
  /// The id as given.
  package let text: String

  /// Whether it needs no percent-encoding.
  private let isUnreserved: Bool

  /// Validates an id; the error names the broken rule.
  package init(_ text: String) throws(ArgyleError) {
    var text = text
    // A single pass over contiguous bytes, because it runs for each call.
    let (count, isUnreserved) = text.withUTF8 { bytes in
      (bytes.count, bytes.allSatisfy { UserID.isUnreserved($0) })
    }
    guard count > 0 else { throw UserID.error("must not be empty") }
    guard count <= 255 else { throw UserID.error("must not be longer than 255 bytes") }
    guard count > 2 || !text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") }) else {
      // Dot segments are removed from paths, here or on the way, and the request would name another resource.
      throw UserID.error("must not be \".\" or \"..\"")
    }
    guard isUnreserved || !text.utf8.contains(0) else {
      throw UserID.error("must not contain a NUL character")
    }
    self.text = text
    self.isUnreserved = isUnreserved
  }

  private static func error(_ rule: String) -> ArgyleError {
    ArgyleError(.argument, "user_id \(rule)")
  }
}

// MARK: - Path segment

extension UserID {
  /// The id as a path segment: every byte but RFC 3986's unreserved ones is percent-encoded.
  var pathSegment: String {
    if isUnreserved { return text }
    var segment: [UInt8] = []
    for byte in text.utf8 {
      if UserID.isUnreserved(byte) {
        segment.append(byte)
      } else {
        segment.append(UInt8(ascii: "%"))
        segment.append(UInt8.hexadecimalDigit(of: byte >> 4, uppercase: true))
        segment.append(UInt8.hexadecimalDigit(of: byte & 15, uppercase: true))
      }
    }
    return String(decoding: segment, as: UTF8.self)
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    byte.isASCIILetter || byte.isASCIIDigit || "-._~".utf8.contains(byte)
  }
}
