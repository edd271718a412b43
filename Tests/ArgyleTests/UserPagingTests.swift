import CJansson
import Testing
import Transport

@testable import Argyle

/// Pagination, without a network.
struct UserPagingTests {
  private func answer(_ body: String, _ version: APIVersion = .v1) -> Answer {
    Answer(
      context: CallContext(
        Request(.get, "/v1/users"),
        version: version,
        authority: "host:1",
        secrets: []
      ),
      response: Response(head: ResponseHead(status: 200), body: Array(body.utf8)),
      mayHaveActedBefore: false,
      attempts: 1
    )
  }

  /// Returns the next step after these pages, which must not depend on whether they are parsed or scanned as text.
  private func next(
    after pages: [String],
    _ query: UserQuery = UserQuery(limit: 2),
    _ version: APIVersion = .v1
  ) throws -> String {
    var parsed = UserPaging(query, version)
    var scanned = UserPaging(query, version)
    for page in pages {
      let answer = answer(page, version)
      try parsed.add(PageOutline(UserPageDocument(answer)), answer)
      try scanned.add(textOf: answer)
    }
    let steps = [parsed, scanned].map { paging in
      switch paging.nextStep {
      case .page(let query): query
      case .end: "end"
      case .failure(let error): error.message
      }
    }
    #expect(steps[0] == steps[1])
    return steps[0]
  }

  @Test(arguments: [
    (
      #"{"results": [], "next": "https://elsewhere:1/v9/x?limit=2&cursor=c%2F#part"}"#,
      "limit=2&cursor=c%2F"
    ),
    (#"{"next": "\u003foffset=2", "results": []}"#, "offset=2"),
    (#"{"results": [], "next": null}"#, "end"),
    (#"{"results": []}"#, "end"),
    (#"[{"id": "a"}, {"id": "b", "next": 1}]"#, "limit=2&offset=2"),
    (" [ ] ", "end"),
    // The last of several members with one name counts, even if escapes are used.
    (#"{"next": "?a", "results": [], "next": "?b"}"#, "b"),
    (#"{"next": "?a", "results": [], "n\u0065xt": "?b", "Next": "?c"}"#, "b"),
    (#"{"next": "?a", "results": [{"id": "a", "next": "?c"}], "\u006Eext" : null }"#, "end"),
    (#"{"next": null, "next": "?b", "results": []}"#, "b"),
  ])
  func nextPageIsFound(page: String, expected: String) throws {
    #expect(try next(after: [page]) == expected)
  }

  /// A page of version 2 whose link is this JSON value.
  private func page(_ next: String) -> String { #"{"next": \#(next), "results": []}"# }

  @Test(arguments: [
    (#""https://elsewhere:1/v9/x?cursor=c%3D%2F&limit=7#part""#, "c%3D%2F"),
    (#""/v2/users?limit=7&cursor=a&external_id=y&cursor=b+""#, "b+"),
    (#""?cursor=c""#, "c"),
    // A bare cursor, encoded or not.
    (#""cD0yMDI0""#, "cD0yMDI0"),
    (#""c/+=&""#, "c%2F%2B%3D%26"),
    (#""c%3D%3D""#, "c%3D%3D"),
  ])
  func version2ContinuesAtTheCursor(link: String, cursor: String) throws {
    let query = UserQuery(limit: 2, cursor: "first", externalID: "ä")
    #expect(
      try next(after: [page(link)], query, .v2) == "limit=2&external_id=%C3%A4&cursor=\(cursor)"
    )
  }

  @Test(arguments: [
    (#""https://host/v1/users?limit=2&offset=2""#, ": it is a response of API version 1"),
    (#""https://host/v2/users""#, ""), (#""/v2/users""#, ""), (#""?cursor=""#, ""), (#""""#, ""),
    (#""?acursor=c""#, ""), (#""?cursor=a b""#, ""), (#""?cursor=\u00e4""#, ""),
    (##""#c""##, ""), (##""c#d""##, ""), (##""?#cursor=c""##, ""),
    ("\"?cursor=\(String(repeating: "c", count: 8193))\"", ""),
  ])
  func version2RefusesALinkWithoutACursor(link: String, ending: String) throws {
    #expect(
      try next(after: [page(link)], UserQuery(), .v2).hasSuffix(
        #""next" in the response is not a link with a cursor"# + ending
      )
    )
  }

  @Test func version2TakesTheLongestCursor() throws {
    let cursor = String(repeating: "c", count: 8192)
    let link = "\"https://host/v2/users?external_id=x&cursor=\(cursor)\""
    #expect(try next(after: [page(link)], UserQuery(), .v2) == "limit=200&cursor=\(cursor)")
  }

  @Test func version2HasNoCount() throws {
    let answer = answer(#"{"results": [], "next": null, "count": "1"}"#, .v2)
    #expect(try UserPageDocument(answer).document.member("count")?.type == JSON_NULL)
  }

  @Test func version2EndsAtNull() throws {
    #expect(try next(after: [page(#""?cursor=c""#), page("null")], UserQuery(), .v2) == "end")
  }

  @Test func version2HasNoBareArrays() {
    let answer = answer(#"[{"id": "a"}]"#, .v2)
    var paging = UserPaging(UserQuery(), .v2)
    let error = #expect(throws: ArgyleError.self) { try paging.add(textOf: answer) }
    #expect(
      error?.message.hasSuffix(
        "the response is not a JSON object: it is a response of API version 1"
      ) == true
    )
    let documentError = #expect(throws: ArgyleError.self) { try UserPageDocument(answer) }
    #expect(documentError?.message == error?.message)
  }

  @Test func version2DetectsCircles() throws {
    let message = try next(
      after: [page(#""?cursor=a""#), page(#""?cursor=b""#), page(#""?cursor=a""#)],
      UserQuery(),
      .v2
    )
    #expect(message.hasSuffix("the response leads back to an earlier page"))
  }

  @Test func version2AsksForFewerUsersAtTheSameCursor() throws {
    var paging = UserPaging(UserQuery(externalID: "e"), .v2)
    try paging.add(textOf: answer(page(#""?cursor=c""#), .v2))
    let wasReduced = paging.reducePageSize(after: tooLarge)
    #expect(wasReduced)
    guard case .page(let query) = paging.nextStep else {
      Issue.record("there is no next page")
      return
    }
    #expect(query == "limit=100&external_id=e&cursor=c")
    try paging.add(textOf: answer(page(#""?cursor=d""#), .v2))
    guard case .page(let later) = paging.nextStep else {
      Issue.record("there is no next page")
      return
    }
    #expect(later == "limit=100&external_id=e&cursor=d")
  }

  private let tooLarge = ArgyleError(.init(.tooLarge, "too large", head: ResponseHead(status: 200)))

  @Test func tooLargeHeadersDoNotReducePageSize() {
    var paging = UserPaging(UserQuery(), .v1)
    let wasReduced = paging.reducePageSize(
      after: ArgyleError(.tooLarge, "the headers are too large")
    )
    #expect(!wasReduced)
    let wasReducedAfterServerError = paging.reducePageSize(
      after: ArgyleError(.init(.server, "500", head: ResponseHead(status: 500)))
    )
    #expect(!wasReducedAfterServerError)
  }

  /// The page size is halved down to one user; the link's other parameters are kept.
  @Test(arguments: [
    ("", ["100", "50", "25", "12", "6", "3", "1"], ""),
    (#"{"results": [], "next": "?a=1&limit=7&offset=3"}"#, ["3", "1"], "&a=1&offset=3"),
    (#"{"results": [], "next": "?offset=3"}"#, ["5", "2", "1"], "&offset=3"),
    (
      #"{"results": [], "next": "?limit=2147483647"}"#,
      ["100", "50", "25", "12", "6", "3", "1"], ""
    ),
    (#"{"results": [], "next": "?limit=99&limit=4"}"#, ["2", "1"], ""),
    (#"{"results": [], "next": "?limit=-4"}"#, [], ""),
    (#"{"results": [], "next": "?limit=all"}"#, [], ""),
    (#"{"results": [], "next": null}"#, [], ""),
    (#"[{"id": "a"}]"#, ["100", "50", "25", "12", "6", "3", "1"], "&offset=1"),
  ])
  func pageSizeIsReduced(page: String, limits: [String], others: String) throws {
    var paging = UserPaging(UserQuery(), .v1)
    if !page.isEmpty { try paging.add(textOf: answer(page)) }
    var queries: [String] = []
    while paging.reducePageSize(after: tooLarge), case .page(let query) = paging.nextStep {
      queries.append(query)
    }
    #expect(queries == limits.map { "limit=\($0)\(others)" })
  }

  @Test func reducedPageSizeIsKept() throws {
    var paging = UserPaging(UserQuery(limit: 4), .v1)
    let wasReduced = paging.reducePageSize(after: tooLarge)
    #expect(wasReduced)
    try paging.add(textOf: answer(#"[{"id": "a"}, {"id": "b"}]"#))
    guard case .page(let query) = paging.nextStep else { throw CancellationError() }
    #expect(query == "limit=2&offset=2")
  }

  @Test(arguments: [
    #"{"results": [], "next": "https://host/no-query"}"#, #"{"results": [], "next": "?"}"#,
    #"{"results": [], "next": "?a b"}"#, #"{"results": [], "next": "?\u0000"}"#,
    #"{"results": [], "next": ""}"#,
    "{\"results\": [], \"next\": \"?\(String(repeating: "x", count: 8193))\"}",
  ])
  func invalidLinkFails(page: String) throws {
    let reason = "\"next\" in the response is not a link with a query"
    #expect(try next(after: [page]).hasSuffix(reason))
  }

  @Test(arguments: [1, 2, 3, 64])
  func shortCycleIsDetectedAtOnce(length: Int) throws {
    let pages = (0..<length).map { number in
      #"{"results": [], "next": "?\#((number + 1) % length)"}"#
    }
    let first = #"{"results": [], "next": "?0"}"#
    #expect(try next(after: [first] + pages).hasSuffix("leads back to an earlier page"))
  }

  @Test(arguments: [65, 100, 1000, 5000])
  func longCycleIsDetected(length: Int) throws {
    var paging = UserPaging(UserQuery(), .v1)
    for number in 0..<(4 * length) {
      let answer = answer(#"{"results": [{"id": "u"}], "next": "?\#(number % length)"}"#)
      try paging.add(textOf: answer)
      if case .failure = paging.nextStep {
        #expect(number >= length)
        return
      }
    }
    Issue.record("a cycle of \(length) pages was not detected in four rounds")
  }

  @Test func manyPagesAreNoCycle() throws {
    var paging = UserPaging(UserQuery(), .v1)
    for number in 0..<20_000 {
      let page = #"{"next": "?offset=\#(number)", "results": [{"id": "u"}]}"#
      try paging.add(textOf: answer(page))
      guard case .page = paging.nextStep else {
        Issue.record("page \(number) is mistaken for an earlier one")
        return
      }
    }
  }

  @Test(arguments: [(99, true), (100, false)])
  func emptyPagesAreLimited(count: Int, continues: Bool) throws {
    var read = UserPaging(UserQuery(), .v1)
    var text = UserPaging(UserQuery(), .v1)
    for number in 0..<count {
      let empty = answer(#"{"results": [ ], "next": "?\#(number)"}"#)
      try read.add(PageOutline(UserPageDocument(empty)), empty)
      try text.add(textOf: empty)
    }
    for paging in [read, text] {
      switch paging.nextStep {
      case .page: #expect(continues)
      case .failure(let error):
        #expect(!continues)
        #expect(error.message.hasSuffix("the 100th consecutive page without users"))
      case .end: Issue.record("the list has ended")
      }
    }
  }

  @Test func pageWithUsersResetsCount() throws {
    var paging = UserPaging(UserQuery(), .v1)
    var text = paging
    for number in 0..<300 {
      let users = number.isMultiple(of: 99) ? #"{"id": "a"}"# : ""
      let page = answer(#"{"results": [\#(users)], "next": "?\#(number)"}"#)
      try paging.add(PageOutline(UserPageDocument(page)), page)
      try text.add(textOf: page)
      for paging in [paging, text] {
        guard case .page = paging.nextStep else {
          Issue.record("page \(number) ends the list")
          return
        }
      }
    }
  }

  @Test func repeatedBareArrayIsRejected() throws {
    let error = #expect(throws: ArgyleError.self) {
      try next(after: [#"[{"id": "a"}]"#, #"[{"id": "a"}]"#])
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test func lastDuplicateIDCounts() throws {
    let pages = [#"[{"id": "a", "i\u0064": "b"}]"#, #"[{"id": "c", "id": "b"}]"#]
    let error = #expect(throws: ArgyleError.self) { try next(after: pages) }
    #expect(error?.message.hasSuffix("the same user as the previous page") == true)
    let others = [#"[{"id": "a", "id": "b"}]"#, #"[{"id": "a", "id": "c"}]"#]
    #expect(try next(after: others) == "limit=2&offset=2")
  }

  // MARK: - Prefetch

  @Test(arguments: [
    (nil, 0, true), ("0", 0, true), ("5", 0, false), ("5", 4_999_999, false),
    ("5", 5_000_000, true),
  ])
  func failedPrefetchIsRetriedAfterRetryAfter(
    retryAfter: String?,
    after time: Int64,
    isAllowed: Bool
  ) {
    let headers = ResponseHeaders(retryAfter.map { "Retry-After: \($0)\r\n" } ?? "")
    let head = ResponseHead(status: 503, headers: headers)
    let error = ArgyleError(.init(.server, "status 503", head: head))
    let failure = LookAheadFailure(error: error, time: 1_000_000, wasCancelledByCaller: false)
    var paging = UserPaging(UserQuery(), .v1)
    let allowed: Void? = try? paging.handle(failure, at: 1_000_000 + time)
    #expect((allowed != nil) == isAllowed)
  }

  @Test func cancelledPrefetchIsNotRetried() {
    for isByCaller in [true, false] {
      let error = ArgyleError(.cancelled, "cancelled")
      let failure = LookAheadFailure(error: error, time: 0, wasCancelledByCaller: isByCaller)
      var paging = UserPaging(UserQuery(), .v1)
      let allowed: Void? = try? paging.handle(failure, at: 9_000_000)
      #expect((allowed == nil) == isByCaller)
    }
  }

  @Test func tooLargePrefetchReducesPageSize() throws {
    var paging = UserPaging(UserQuery(), .v1)
    let failure = LookAheadFailure(error: tooLarge, time: 0, wasCancelledByCaller: false)
    try paging.handle(failure, at: 1)
    guard case .page("limit=100") = paging.nextStep else {
      Issue.record("the same page would be requested again")
      return
    }
  }

  // MARK: - Pages as text

  @Test(arguments: [
    (#"{"next": null, "results": [{"id": "u"}]"#, "cannot be parsed as JSON"),
    (#"{"next": null, "results": []} x"#, "cannot be parsed as JSON"),
    (#"{"next": "?a"}"#, #"has no array "results""#),
    (#"{"next": "?a", "results": {}}"#, #"has no array "results""#),
    (#"{"next": "?a", "results": [], "results": null}"#, #"has no array "results""#),
    ("{}", #"has no array "results""#),
    ("5", "neither a JSON object nor an array"),
  ])
  func strictPageIsCompleteAndHasResults(page: String, message: String) {
    let answer = answer(page)
    var paging = UserPaging(UserQuery(), .v1)
    let error = #expect(throws: ArgyleError.self) { try paging.add(textOf: answer, strictly: true) }
    #expect(error?.message.contains(message) == true)
    guard case .page("limit=200") = paging.nextStep else {
      Issue.record("the page is not requested again")
      return
    }
  }

  @Test(arguments: [
    #"{"next": "?offset=1", "results": [{"id": "\ud800", "n": 1e999}]}"#,
    #"{"next": "?offset=1", "results": [{"id": 7}, 8, null]}"#,
  ])
  func strictPageMayHaveUnreadableUsers(page: String) throws {
    var paging = UserPaging(UserQuery(), .v1)
    try paging.add(textOf: answer(page), strictly: true)
    guard case .page("offset=1") = paging.nextStep else {
      Issue.record("the page was not added")
      return
    }
  }

  @Test(arguments: [#", "results": {}"#, #", "results": null"#, ""])
  func pagesWithoutResultsCountAsEmpty(results: String) throws {
    var paging = UserPaging(UserQuery(), .v1)
    for number in 0..<100 {
      try paging.add(textOf: answer(#"{"next": "?\#(number)"\#(results)}"#))
    }
    guard case .failure = paging.nextStep else {
      Issue.record("the list does not end")
      return
    }
  }

  @Test func pageTextIsScannedOnlyAsFarAsNeeded() throws {
    var paging = UserPaging(UserQuery(), .v1)
    let page =
      #"{"next": "?offset=1", "results": [{"id": "\ud800", "n": 1e999, "m": 99999999999999999999}, ?"#
    try paging.add(textOf: answer(page))
    guard case .page("offset=1") = paging.nextStep else {
      Issue.record("the next page is not found")
      return
    }
  }

  @Test(arguments: ["", "5", "\"x\"", "null", "{", #"{"next""#, "[1,]", "{\"a\": \u{1}}"])
  func invalidPageTextIsRejected(page: String) {
    var paging = UserPaging(UserQuery(), .v1)
    let error = #expect(throws: ArgyleError.self) { try paging.add(textOf: answer(page)) }
    #expect(error?.code == .protocolViolation)
  }
}
