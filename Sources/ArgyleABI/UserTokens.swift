import Argyle
import CArgyle
import CJansson
import Support

// The section "User tokens" of argyle.h, which documents every function in full.

/// Creates a token for a user ("Create a user token": POST /user-tokens).
@_cdecl("argyle_user_token_create") @implementation
public func argyle_user_token_create(
  _ client: OpaquePointer?,
  _ user_id: UnsafePointer<CChar>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    return try client.createUserToken(Arguments.userID(user_id)).newReference()
  }
}

/// Decodes the claims of a user token ("The user token object").
@_cdecl("argyle_token_claims") @implementation
public func argyle_token_claims(
  _ token: UnsafePointer<CChar>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    try TokenClaims.document(of: Arguments.text(token, "token")).newReference()
  }
}
