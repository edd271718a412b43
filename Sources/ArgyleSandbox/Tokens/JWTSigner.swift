import CJWT
import CPlatform

/// Signs JSON Web Tokens with HMAC-SHA-256.
struct JWTSigner {
  private let key: Bytes

  init(key: Bytes) {
    self.key = key
  }

  /// Returns a token with the claims that `addClaims` adds; libjwt sorts them by name.
  func sign(_ addClaims: (OpaquePointer?) -> Bool) throws(SandboxError) -> String {
    var jwt: OpaquePointer?
    defer { jwt_free(jwt) }
    guard
      jwt_new(&jwt) == 0,
      jwt_set_alg(jwt, JWT_ALG_HS256, key, Int32(clamping: key.count)) == 0,
      addClaims(jwt),
      let encoded = jwt_encode_str(jwt)
    else { throw .resources("cannot sign a token") }
    defer { free(encoded) }
    return String(cString: encoded)
  }
}
