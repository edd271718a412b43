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
      let error = #expect(throws: ArgyleError.self) { try UserQuery(limit: limit).validate() }
      #expect(error?.message == "limit must be between 1 and 2147483647, got \(limit)")
    }
    for offset in [-1, Int.max] {
      let error = #expect(throws: ArgyleError.self) { try UserQuery(offset: offset).validate() }
      #expect(error?.message == "offset must be between 0 and 9007199254740991, got \(offset)")
    }
  }
}
