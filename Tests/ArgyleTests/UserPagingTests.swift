import Testing
import Transport

@testable import Argyle

/// How a list goes on from page to page, without a network.
struct UserPagingTests {
  private func answer(_ body: String) -> Answer {
    Answer(
      context: CallContext(Request(.get, "/v1/users"), authority: "host:1", secrets: []),
      response: Response(head: ResponseHead(status: 200), body: Array(body.utf8)),
      mayHaveActedBefore: false,
      attempts: 1
    )
  }

  /// What a walk asks for after these pages, told in both forms.
  private func next(after pages: [String], _ query: UserQuery = UserQuery(limit: 2)) throws
    -> String
  {
    var read = UserPaging(query)
    var text = UserPaging(query)
    for page in pages {
      let answer = answer(page)
      try read.add(PageOutline(UserPageDocument(answer)), answer)
      try text.add(textOf: answer)
    }
    let told = [read, text].map { paging in
      switch paging.nextStep {
      case .page(let query): query
      case .end: "end"
      case .failure(let error): error.message
      }
    }
    #expect(told[0] == told[1])
    return told[0]
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
    // Of members of one name the last counts, however it is spelled.
    (#"{"next": "?a", "results": [], "next": "?b"}"#, "b"),
    (#"{"next": "?a", "results": [], "n\u0065xt": "?b", "Next": "?c"}"#, "b"),
    (#"{"next": "?a", "results": [{"id": "a", "next": "?c"}], "\u006Eext" : null }"#, "end"),
    (#"{"next": null, "next": "?b", "results": []}"#, "b"),
  ])
  func theNextPageIsFound(page: String, expected: String) throws {
    #expect(try next(after: [page]) == expected)
  }

  private let tooLarge = ArgyleError(.init(.tooLarge, "too large", head: ResponseHead(status: 200)))

  @Test func headersThatAreTooLargeAreNoReason() {
    var paging = UserPaging(UserQuery())
    let asks = paging.reducePageSize(after: ArgyleError(.tooLarge, "the headers are too large"))
    #expect(!asks)
    let asksAfterAnother = paging.reducePageSize(
      after: ArgyleError(.init(.server, "500", head: ResponseHead(status: 500)))
    )
    #expect(!asksAfterAnother)
  }

  /// Smaller and smaller pages, down to one user; all else that the link asks for stays.
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
  func fewerUsersAreAskedFor(page: String, limits: [String], others: String) throws {
    var paging = UserPaging(UserQuery())
    if !page.isEmpty { try paging.add(textOf: answer(page)) }
    var asked: [String] = []
    while paging.reducePageSize(after: tooLarge), case .page(let query) = paging.nextStep {
      asked.append(query)
    }
    #expect(asked == limits.map { "limit=\($0)\(others)" })
  }

  @Test func pagesStaySmall() throws {
    var paging = UserPaging(UserQuery(limit: 4))
    let asks = paging.reducePageSize(after: tooLarge)
    #expect(asks)
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
  func aLinkThatCannotBeFollowedIsAFailureThatStays(page: String) throws {
    #expect(try next(after: [page]).hasSuffix("\"next\" in the answer is no link with a query"))
  }

  @Test(arguments: [1, 2, 3, 64])
  func aShortCircleIsNoticedBeforeItBegins(length: Int) throws {
    let pages = (0..<length).map { number in
      #"{"results": [], "next": "?\#((number + 1) % length)"}"#
    }
    let first = #"{"results": [], "next": "?0"}"#
    #expect(try next(after: [first] + pages).hasSuffix("one that was already given"))
  }

  @Test(arguments: [65, 100, 1000, 5000])
  func aLongCircleIsNoticedAsWell(length: Int) throws {
    var paging = UserPaging(UserQuery())
    for number in 0..<(4 * length) {
      let answer = answer(#"{"results": [], "next": "?\#(number % length)"}"#)
      try paging.add(textOf: answer)
      if case .failure = paging.nextStep {
        #expect(number >= length)
        return
      }
    }
    Issue.record("a circle of \(length) pages was gone around four times")
  }

  @Test func aLongWalkIsNoCircle() throws {
    var paging = UserPaging(UserQuery())
    for number in 0..<20_000 {
      try paging.add(textOf: answer(#"{"next": "?offset=\#(number)"}"#))
      guard case .page = paging.nextStep else {
        Issue.record("page \(number) is taken for one given before")
        return
      }
    }
  }

  @Test(arguments: [(99, true), (100, false)])
  func pagesWithoutUsersComeToAnEnd(count: Int, goesOn: Bool) throws {
    var paging = UserPaging(UserQuery())
    for number in 0..<count {
      let empty = answer(#"{"results": [], "next": "?\#(number)"}"#)
      try paging.add(PageOutline(UserPageDocument(empty)), empty)
    }
    switch paging.nextStep {
    case .page: #expect(goesOn)
    case .failure(let error):
      #expect(!goesOn)
      #expect(error.message.hasSuffix("the 100th page in a row without a user"))
    case .end: Issue.record("the walk is at its end")
    }
  }

  @Test func aPageWithUsersBeginsTheCountAnew() throws {
    var paging = UserPaging(UserQuery())
    for number in 0..<300 {
      let users = number.isMultiple(of: 99) ? #"{"id": "a"}"# : ""
      let page = answer(#"{"results": [\#(users)], "next": "?\#(number)"}"#)
      try paging.add(PageOutline(UserPageDocument(page)), page)
      guard case .page = paging.nextStep else {
        Issue.record("page \(number) is one too many")
        return
      }
    }
  }

  @Test func aBareArrayThatComesAgainIsRefused() throws {
    let error = #expect(throws: ArgyleError.self) {
      try next(after: [#"[{"id": "a"}]"#, #"[{"id": "a"}]"#])
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test func ofTwoIDsOfAUserTheLastCounts() throws {
    let pages = [#"[{"id": "a", "i\u0064": "b"}]"#, #"[{"id": "c", "id": "b"}]"#]
    let error = #expect(throws: ArgyleError.self) { try next(after: pages) }
    #expect(error?.message.hasSuffix("the same user as the page before") == true)
    let others = [#"[{"id": "a", "id": "b"}]"#, #"[{"id": "a", "id": "c"}]"#]
    #expect(try next(after: others) == "limit=2&offset=2")
  }

  // MARK: - Ahead

  @Test(arguments: [
    (nil, 0, true), ("0", 0, true), ("5", 0, false), ("5", 4_999_999, false),
    ("5", 5_000_000, true),
  ])
  func aPageIsAskedForAgainOnceTheServiceAllowsIt(
    retryAfter: String?,
    after time: Int64,
    isAllowed: Bool
  ) {
    let headers = ResponseHeaders(retryAfter.map { "Retry-After: \($0)\r\n" } ?? "")
    let head = ResponseHead(status: 503, headers: headers)
    let error = ArgyleError(.init(.server, "status 503", head: head))
    let failure = LookAheadFailure(error: error, time: 1_000_000, wasCancelledByCaller: false)
    var paging = UserPaging(UserQuery())
    let allowed: Void? = try? paging.handle(failure, at: 1_000_000 + time)
    #expect((allowed != nil) == isAllowed)
  }

  @Test func aPageThatTheCallerHasEndedIsNotAskedForAgain() {
    for isCallers in [true, false] {
      let error = ArgyleError(.cancelled, "cancelled")
      let failure = LookAheadFailure(error: error, time: 0, wasCancelledByCaller: isCallers)
      var paging = UserPaging(UserQuery())
      let allowed: Void? = try? paging.handle(failure, at: 9_000_000)
      #expect((allowed == nil) == isCallers)
    }
  }

  @Test func aPageAskedForAheadThatIsTooLargeIsAskedForWithFewerUsers() throws {
    var paging = UserPaging(UserQuery())
    let failure = LookAheadFailure(error: tooLarge, time: 0, wasCancelledByCaller: false)
    try paging.handle(failure, at: 1)
    guard case .page("limit=100") = paging.nextStep else {
      Issue.record("the same page would be asked for again")
      return
    }
  }

  // MARK: - Texts

  @Test func thePagesTextIsLookedAtNoFurtherThanNeeded() throws {
    var paging = UserPaging(UserQuery())
    let page =
      #"{"next": "?offset=1", "results": [{"id": "\ud800", "n": 1e999, "m": 99999999999999999999}, ?"#
    try paging.add(textOf: answer(page))
    guard case .page("offset=1") = paging.nextStep else {
      Issue.record("the next page is not found")
      return
    }
  }

  @Test(arguments: ["", "5", "\"x\"", "null", "{", #"{"next""#, "[1,]", "{\"a\": \u{1}}"])
  func aPageThatIsNoneIsRefusedAsText(page: String) {
    var paging = UserPaging(UserQuery())
    let error = #expect(throws: ArgyleError.self) { try paging.add(textOf: answer(page)) }
    #expect(error?.code == .protocolViolation)
  }
}
