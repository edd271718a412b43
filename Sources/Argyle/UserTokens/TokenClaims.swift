import Support

/// The claims of a user token, decoded but not verified: only the service has the key.
public struct TokenClaims: Sendable, Equatable {
  /// All claims.
  public let raw: JSON

  /// Decodes the claims of a JSON Web Token.
  ///
  /// - Parameter token: three base64url parts separated by dots.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument`` if `token` is not such a token.
  public init(token: String) throws(ArgyleError) {
    raw = JSON(try TokenClaims.document(of: token))
  }

  /// The account that the token belongs to (`client_id`).
  public var clientID: String? { raw["client_id"]?.stringValue }

  /// When the token expires, in seconds since 1970 (`exp`).
  public var expiresAt: Int64? { raw["exp"]?.integerValue }

  /// When the token was issued, in seconds since 1970 (`iat`).
  public var issuedAt: Int64? { raw["iat"]?.integerValue }

  /// Who issued the token (`iss`).
  public var issuer: String? { raw["iss"]?.stringValue }

  /// The token's own id (`jti`).
  public var tokenID: String? { raw["jti"]?.stringValue }

  /// The user (`sub`).
  public var subject: String? { raw["sub"]?.stringValue }

  /// The user (`user_id`), the same as the subject.
  public var userID: String? { raw["user_id"]?.stringValue }
}

// MARK: - Decoding

extension TokenClaims {
  /// The claims as a jansson value.
  package static func document(of token: String) throws(ArgyleError) -> JSONReference {
    let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw ArgyleError(.argument, "token must have three parts separated by dots")
    }
    var payload: [UInt8] = []
    for (index, part) in parts.enumerated() {
      guard let bytes = Base64URL.decode(part), !bytes.isEmpty else {
        throw ArgyleError(.argument, "token must have three base64url parts without padding")
      }
      if index == 1 { payload = bytes }
    }
    let document: JSONReference
    do {
      document = try JSONReference(parsing: payload)
    } catch {
      if error.isOutOfMemory { throw .outOfMemory }
      throw ArgyleError(.argument, "token must contain claims in JSON: \(error.reason)")
    }
    guard document.isObject else {
      throw ArgyleError(.argument, "token must contain a JSON object of claims")
    }
    return document
  }
}
