import CJWT
import Support

/// Writes cursors as text, and reads those that it wrote.
///
/// The text is the cursor in hexadecimal digits, a colon and a signature. A URL has to escape the colon, as it has to
/// escape some characters of the service's cursors, so clients have to decode them.
struct CursorIssuer {
  private let signer: JWTSigner

  init(_ signer: JWTSigner) {
    self.signer = signer
  }

  func text(of cursor: UserCursor) throws(SandboxError) -> String {
    let direction = cursor.isBackward ? 1 : 0
    let position = "\(cursor.position.createdAt.milliseconds) \(cursor.position.sequence)"
    let plain = Bytes("\(direction) \(position) \(cursor.limit) ".utf8) + (cursor.externalID ?? [])
    var digits = Bytes()
    for byte in plain {
      digits.append(UInt8.hexadecimalDigit(of: byte >> 4))
      digits.append(UInt8.hexadecimalDigit(of: byte & 0xF))
    }
    let text = String(decoding: digits, as: UTF8.self)
    let token = try signer.sign { jwt in jwt_add_grant(jwt, "cursor", text) == 0 }
    let signature = token.utf8.split(separator: UInt8(ascii: ".")).last ?? ""[...].utf8
    return text + ":" + String(decoding: signature, as: UTF8.self)
  }

  /// Reads a cursor; returns nil for text that was not written with the same key, or was changed.
  ///
  /// The signature is checked by writing the cursor again. libjwt could check one too, but it overruns its memory when
  /// it decodes base64 that is too short.
  func cursor(_ text: Bytes) -> UserCursor? {
    guard let cursor = Self.read(text), let written = try? self.text(of: cursor),
      text.matches(written)
    else { return nil }
    return cursor
  }

  /// Reads a cursor without checking its signature.
  private static func read(_ text: Bytes) -> UserCursor? {
    var plain = Bytes()
    var digits = text.prefix { $0 != UInt8(ascii: ":") }
    while let first = digits.popFirst() {
      guard let high = first.hexadecimalValue, let low = digits.popFirst()?.hexadecimalValue else {
        return nil
      }
      plain.append(high << 4 | low)
    }
    let parts = plain.split(
      separator: UInt8(ascii: " "),
      maxSplits: 4,
      omittingEmptySubsequences: false
    )
    // More than any time, user or page, but far from overflow.
    let numbers = parts.prefix(4).compactMap { decimalNumber($0, limit: 1 << 53) }
    guard parts.count == 5, numbers.count == 4 else { return nil }
    return UserCursor(
      limit: numbers[3],
      externalID: parts[4].isEmpty ? nil : Bytes(parts[4]),
      position: UserPosition(
        createdAt: Timestamp(milliseconds: Int64(numbers[1])),
        sequence: Int64(numbers[2])
      ),
      isBackward: numbers[0] == 1
    )
  }
}
