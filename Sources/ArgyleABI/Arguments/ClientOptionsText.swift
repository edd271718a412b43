import Argyle
import CPlatform
import Support

/// A client's options as JSON text, with secrets removed before jansson parses the rest.
///
/// jansson's parser frees copies of what it reads without wiping them.
struct ClientOptionsText {
  /// All options, with a placeholder for each secret.
  let object: JSONReference

  private let keySecret: Secret?
  private let keyPassword: Secret?

  /// Parses a text; errors name the argument.
  init(
    _ text: UnsafePointer<CChar>?,
    _ size: Int,
    _ argument: String
  ) throws(ArgyleError) {
    let bytes = try Arguments.require(Arguments.bytes(text, size, argument), argument)
    var copy = Array(bytes)
    // No other reference exists, so this wipes the buffer itself and not a copy-on-write copy.
    defer { copy.withUnsafeMutableBytes { argyle_wipe($0.baseAddress, $0.count) } }
    let parts = try ClientOptionsText.split(copy, argument)
    object = try Arguments.json(parts.rest, argument)
    keySecret = parts.keySecret.secret
    keyPassword = parts.keyPassword.secret
  }

  /// Adds the secrets to options that were read from ``object``.
  func applySecrets(to options: inout ClientOptions) {
    if let keySecret { options.secret = keySecret }
    if let keyPassword { options.keyPassword = keyPassword }
  }
}

// MARK: - Secrets

extension ClientOptionsText {
  /// A secret and its range in the text.
  private typealias Part = (secret: Secret?, range: Range<Int>)

  private static func split(
    _ text: [UInt8],
    _ argument: String
  ) throws(ArgyleError) -> (rest: [UInt8], keySecret: Part, keyPassword: Part) {
    let keySecret = try find("key_secret", in: text, argument)
    let keyPassword = try find("client_key_password", in: text, argument)
    let rest = text.indices.map { index in
      keySecret.range.contains(index) || keyPassword.range.contains(index)
        ? UInt8(ascii: "x") : text[index]
    }
    return (rest, keySecret, keyPassword)
  }

  private static func find(
    _ key: String,
    in text: [UInt8],
    _ argument: String
  ) throws(ArgyleError) -> Part {
    let member: JSONValue?
    do {
      member = try JSONScanner.scan(text, maximumDepth: JSON.maximumDepth, member: key).member
    } catch {
      throw ArgyleError(.argument, "\(argument) must be JSON: \(error.message(in: text))")
    }
    guard let member, member.kind == .string else { return (nil, 0..<0) }
    var characters = member.characters
    defer { characters.withUnsafeMutableBytes { argyle_wipe($0.baseAddress, $0.count) } }
    // U+FFFD may stand for an unpaired surrogate, which jansson refuses.
    guard !characters.indices.contains(where: { characters[$0...].starts(with: "\u{FFFD}".utf8) })
    else { return (nil, 0..<0) }
    return (Secret(characters), member.escapedContent.indices)
  }
}
