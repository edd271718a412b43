import Testing

@testable import Argyle

struct UserQueryTests {
  @Test func absentParametersAreNotSent() {
    #expect(UserQuery().text == "")
    #expect(UserQuery(offset: 0).text == "offset=0")
    #expect(
      UserQuery(limit: 2, offset: 3, ordering: .newestFirst).text
        == "limit=2&offset=3&ordering=-created_at"
    )
    #expect(UserQuery(ordering: .oldestFirst).text == "ordering=created_at")
  }

  @Test func numbersOutOfRangeAreRejected() {
    for limit in [0, 2_147_483_648] {
      let error = #expect(throws: ArgyleError.self) { try UserQuery(limit: limit).validate(.v1) }
      #expect(error?.message == "limit must be between 1 and 2147483647, got \(limit)")
    }
    for offset in [-1, Int.max] {
      let error = #expect(throws: ArgyleError.self) { try UserQuery(offset: offset).validate(.v1) }
      #expect(error?.message == "offset must be between 0 and 9007199254740991, got \(offset)")
    }
  }

  @Test func textsAreEncoded() {
    #expect(
      UserQuery(limit: 1, cursor: "a+b/c==", externalID: "ä &=%").text
        == "limit=1&external_id=%C3%A4%20%26%3D%25&cursor=a%2Bb%2Fc%3D%3D"
    )
  }

  @Test(arguments: [
    (UserQuery(offset: 0), APIVersion.v2, "offset needs api_version 1"),
    (UserQuery(ordering: .newestFirst), .v2, "ordering needs api_version 1"),
    (UserQuery(cursor: "c"), .v1, "cursor needs api_version 2"),
    (UserQuery(externalID: "e"), .v1, "external_id needs api_version 2"),
    (UserQuery(cursor: ""), .v2, "cursor must be 1 to 8192 bytes"),
    (UserQuery(externalID: ""), .v2, "external_id must be 1 to 1024 bytes"),
    (
      UserQuery(externalID: String(repeating: "e", count: 1025)), .v2,
      "external_id must be 1 to 1024 bytes"
    ),
  ])
  func eachVersionHasItsParameters(query: UserQuery, version: APIVersion, message: String) {
    let error = #expect(throws: ArgyleError.self) { try query.validate(version) }
    #expect(error?.message == message)
    #expect(error?.code == .argument)
  }

  @Test func bothVersionsHaveALimit() throws {
    try UserQuery(limit: 1).validate(.v1)
    try UserQuery(limit: 1).validate(.v2)
    try UserQuery(cursor: "c", externalID: "e").validate(.v2)
  }
}
