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
      (bytes.count, bytes.allSatisfy { PercentEncoding.isUnreserved($0) })
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
  /// The id as a path segment.
  var pathSegment: String { isUnreserved ? text : PercentEncoding.encode(text.utf8) }
}
