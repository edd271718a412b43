import Testing

@testable import Argyle

struct TokenClaimsTests {
  /// The example token in Argyle's documentation.
  private static let token =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    + "eyJjbGllbnRfaWQiOiIwZDliNWJmMy05N2ZhLTQ3NTctYTEzNi1iMmEwM2QxNzE0MTQiLCJleHAiOjE2NTMyMzIxNDUs"
    + "ImlhdCI6MTY1MDY0MDE0NSwiaXNzIjoiYXJneWxlLWNvcmUtYXV0aC1wcm9kIiwianRpIjoiNzFkZjgzMGItOGJjYy00"
    + "MDgyLTkxYzYtNjEwMTE0Njc3ODRhIiwic3ViIjoiMDE4MDUxOWUtNjIwZi1hNDgwLTBhNmQtMzA3YzA4NmMwNzczIiwi"
    + "dXNlcl9pZCI6IjAxODA1MTllLTYyMGYtYTQ4MC0wYTZkLTMwN2MwODZjMDc3MyJ9."
    + "qC0bQ0wFzVIp3I0a7BxjqrRha2Bexw5PycWIh1WQjTw"

  @Test func documentedTokenIsParsed() throws {
    let claims = try TokenClaims(token: Self.token)
    #expect(claims.clientID == "0d9b5bf3-97fa-4757-a136-b2a03d171414")
    #expect(claims.expiresAt == 1_653_232_145)
    #expect(claims.issuedAt == 1_650_640_145)
    #expect(claims.issuer == "argyle-core-auth-prod")
    #expect(claims.tokenID == "71df830b-8bcc-4082-91c6-61011467784a")
    #expect(claims.subject == "0180519e-620f-a480-0a6d-307c086c0773")
    #expect(claims.userID == claims.subject)
  }

  @Test(arguments: [
    "", "a", "a.b", "YQ.YQ.YQ.YQ", "..", "YQ..YQ", "YQ.e30.", "YQ.e30=.YQ", "YQ.e3+/.YQ", "YQ.e.YQ",
    "YQ.W10.YQ", "YQ.YWJj.YQ", "YQ.ü.YQ",
  ])
  func invalidTokenIsRejected(token: String) {
    let error = #expect(throws: ArgyleError.self) { try TokenClaims(token: token) }
    #expect(error?.code == .argument)
    #expect(error?.message.hasPrefix("token must ") == true)
  }

  @Test func base64URLIsDecoded() {
    #expect(Base64URL.decode("".utf8) == [])
    #expect(Base64URL.decode("_-8".utf8) == [0xFF, 0xEF])
    #expect(Base64URL.decode("AAAA".utf8) == [0, 0, 0])
    #expect(Base64URL.decode("A".utf8) == nil)
  }
}
