import Testing

@testable import Argyle

struct UserIDTests {
  @Test(arguments: [
    ("", "user_id must not be empty"), (".", #"user_id must not be "." or "..""#),
    ("..", #"user_id must not be "." or "..""#),
    ("a\u{0}b", "user_id must not contain a NUL character"),
    (String(repeating: "x", count: 256), "user_id must not be longer than 255 bytes"),
  ])
  func invalidIDIsRejected(id: String, message: String) {
    let error = #expect(throws: ArgyleError.self) { try UserID(id) }
    #expect(error?.code == .argument)
    #expect(error?.message == message)
  }

  @Test(arguments: [
    ("018051aa-f7a9-a0db-2f38-6cfa325e9d69", "018051aa-f7a9-a0db-2f38-6cfa325e9d69"),
    ("a/b", "a%2Fb"), ("a b", "a%20b"), ("ü", "%C3%BC"), ("%2e%2e", "%252e%252e"),
    ("a?b#c", "a%3Fb%23c"), ("...", "..."), ("~_-.", "~_-."), ("\n", "%0A"),
  ])
  func idIsOnePathSegment(id: String, segment: String) throws {
    #expect(try UserID(id).pathSegment == segment)
  }

  @Test func longestIDIsAccepted() throws {
    let id = String(repeating: "x", count: 255)
    #expect(try UserID(id).pathSegment == id)
  }
}
