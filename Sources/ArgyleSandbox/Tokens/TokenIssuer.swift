import CJWT
import CPlatform

/// Issues user tokens: JWTs signed with HMAC-SHA-256.
struct TokenIssuer {
  /// Thirty days, in seconds.
  private static var lifetime: Int { 2_592_000 }
  private static var issuer: String { "argyle-core-auth-prod" }
  /// The account's id in every access token, which is not the API key's id.
  private static var clientID: String { "0d9b5bf3-97fa-4757-a136-b2a03d171414" }

  private let key: Bytes
  private let clock: Clock

  init(key: String, clock: Clock) {
    self.key = Bytes(key.utf8)
    self.clock = clock
  }

  /// Returns a token for Argyle Link.
  func accessToken(for user: UUID) throws(SandboxError) -> String {
    try token(for: user) { jwt in
      jwt_add_grant(jwt, "client_id", Self.clientID) == 0
        && jwt_add_grant(jwt, "user_id", user.text) == 0
    }
  }

  func refreshToken(for user: UUID) throws(SandboxError) -> String {
    try token(for: user) { _ in true }
  }

  /// Returns a token with the common claims and those that `addClaims` adds; libjwt sorts them by name.
  private func token(
    for user: UUID,
    adding addClaims: (OpaquePointer?) -> Bool
  ) throws(SandboxError) -> String {
    var jwt: OpaquePointer?
    defer { jwt_free(jwt) }
    let now = clock.now().seconds
    guard
      jwt_new(&jwt) == 0,
      jwt_set_alg(jwt, JWT_ALG_HS256, key, Int32(clamping: key.count)) == 0,
      jwt_add_grant_int(jwt, "iat", now) == 0,
      jwt_add_grant_int(jwt, "exp", now + Self.lifetime) == 0,
      jwt_add_grant(jwt, "iss", Self.issuer) == 0,
      jwt_add_grant(jwt, "jti", UUID.random().text) == 0,
      jwt_add_grant(jwt, "sub", user.text) == 0,
      addClaims(jwt),
      let encoded = jwt_encode_str(jwt)
    else { throw .resources("cannot create a user token") }
    defer { free(encoded) }
    return String(cString: encoded)
  }
}
