import CArgyle
import CJansson
import Support

@testable import Argyle

/// Fuzzes the parsing of claims: the input is a token, and the claims of another one.
func fuzzClaims(_ input: [UInt8]) {
  check(token: input)
  let encoded = base64URL(input)
  expect(Base64URL.decode(encoded) == input, "base64url survives encoding and decoding")
  let token = Array("eyJhbGciOiJIUzI1NiJ9.".utf8) + encoded + Array(".c2ln".utf8)
  let claims = check(token: token)
  if let document = try? JSONReference(parsing: input), document.isObject {
    expect(claims?.encoded() == document.encoded(), "the claims are those of the token")
  } else {
    expect(claims == nil, "only an object has claims")
  }
  // No message may quote the claims.
  let secret = Array("{\"a\": \"\(canary)\" ".utf8) + input
  check(token: Array("e30.".utf8) + base64URL(secret) + Array(".e30".utf8))
}

@discardableResult
private func check(token: [UInt8]) -> JSONReference? {
  let text = String(decoding: token, as: UTF8.self)
  var document: JSONReference?
  do {
    let claims = try TokenClaims.document(of: text)
    checkRoundTrip(claims)
    check(try TokenClaims(token: text), claims)
    document = claims
  } catch {
    expect(error.code == .argument, "the code is \(error.code)")
    check(message: error.message)
  }
  guard !token.contains(0) else { return document }
  var error = OpaquePointer(bitPattern: 1)
  let claims = (token + [0]).withUnsafeBytes {
    argyle_token_claims($0.assumingMemoryBound(to: CChar.self).baseAddress, &error)
  }
  if let claims {
    expect(error == nil, "a success has no error")
    let claims = JSONReference(owning: claims)
    expect(claims.encoded() == document?.encoded(), "C returns the same claims")
  } else {
    check(error, code: 1)
    expect(document == nil, "C fails only if Swift does")
  }
  return document
}

private func check(_ claims: TokenClaims, _ document: JSONReference) {
  expect(claims.raw == JSON(document), "the claims are complete")
  expect(claims.expiresAt == document.member("exp")?.integer, "the expiry is that of the token")
  expect(claims.issuedAt == document.member("iat")?.integer, "the issue time is that of the token")
  expect(claims.subject == document.member("sub")?.string, "the subject is that of the token")
  expect(claims.userID == document.member("user_id")?.string, "the user is that of the token")
  _ = (claims.clientID, claims.issuer, claims.tokenID)
}

private func base64URL(_ bytes: [UInt8]) -> [UInt8] {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  var text: [UInt8] = []
  var start = 0
  while start < bytes.count {
    let group = Array(bytes[start..<min(start + 3, bytes.count)])
    let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[$1]) : 0) }
    for index in 0...group.count { text.append(alphabet[bits >> (18 - 6 * index) & 63]) }
    start += 3
  }
  return text
}
