import CJWT

/// Issues user tokens: signed JSON Web Tokens.
struct TokenIssuer {
  /// Thirty days, in seconds.
  private static var lifetime: Int { 2_592_000 }
  /// An hour, in seconds.
  private static var lifetimeInV2: Int { 3600 }
  private static var issuer: String { "argyle-core-auth-prod" }
  /// The account's id, which is not the API key's id.
  static var clientID: String { "0d9b5bf3-97fa-4757-a136-b2a03d171414" }

  private let signer: JWTSigner
  private let clock: Clock

  init(_ signer: JWTSigner, clock: Clock) {
    self.signer = signer
    self.clock = clock
  }

  /// Returns a token for Argyle Link, in v1.
  func accessToken(for user: UUID) throws(SandboxError) -> String {
    try token(for: user, Self.lifetime) { jwt in
      jwt_add_grant(jwt, "client_id", Self.clientID) == 0
        && jwt_add_grant(jwt, "user_id", user.text) == 0
    }
  }

  func refreshToken(for user: UUID) throws(SandboxError) -> String {
    try token(for: user, Self.lifetime) { _ in true }
  }

  /// Returns a token for Argyle Link, in v2.
  func userToken(for user: UUID) throws(SandboxError) -> String {
    try token(for: user, Self.lifetimeInV2) { jwt in
      jwt_add_grant(jwt, "client_id", Self.clientID) == 0
        && jwt_add_grant(jwt, "fid", UUID.random().text) == 0
        && jwt_add_grant(jwt, "user_id", user.text) == 0
    }
  }

  /// Returns a token with the common claims and those that `addClaims` adds.
  private func token(
    for user: UUID,
    _ lifetime: Int,
    adding addClaims: (OpaquePointer?) -> Bool
  ) throws(SandboxError) -> String {
    let now = clock.now().seconds
    return try signer.sign { jwt in
      jwt_add_grant_int(jwt, "iat", now) == 0
        && jwt_add_grant_int(jwt, "exp", now + lifetime) == 0
        && jwt_add_grant(jwt, "iss", Self.issuer) == 0
        && jwt_add_grant(jwt, "jti", UUID.random().text) == 0
        && jwt_add_grant(jwt, "sub", user.text) == 0
        && addClaims(jwt)
    }
  }
}
