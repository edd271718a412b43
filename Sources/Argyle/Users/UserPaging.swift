import Support
import Transport

/// Paging of a list as a state machine: pages go in, the next query comes out.
///
/// It does no I/O, so that blocking and asynchronous cursors share it.
struct UserPaging {
  /// Default page size: the service's maximum.
  private static let defaultLimit = 200
  /// The service's page size for a query without a limit.
  private static let serviceLimit = 10
  /// Maximum number of consecutive empty pages with a link to the next: more than a service has reason for.
  private static let maxEmptyPages = 100

  /// What follows the pages received so far.
  enum NextStep {
    /// The page for this query.
    case page(query: String)
    /// The end of the list.
    case end
    /// A permanent failure.
    case failure(ArgyleError)
  }

  private(set) var nextStep: NextStep
  private let version: APIVersion
  private var query: UserQuery
  private var history = QueryHistory()
  /// Number of consecutive empty pages so far.
  private var emptyPages = 0
  /// The first id of the previous bare array.
  private var lastFirstID: String?

  /// Starts with the page of a query, which must be valid.
  init(_ query: UserQuery, _ version: APIVersion) {
    self.query = query
    self.version = version
    if query.limit == nil { self.query.limit = UserPaging.defaultLimit }
    nextStep = .page(query: self.query.text)
  }
}

// MARK: - Page size

extension UserPaging {
  /// Halves the page size if a page was too large; returns false if it cannot be reduced.
  ///
  /// Headers that are too large have nothing to do with the users; the error then has no status.
  mutating func reducePageSize(after error: ArgyleError) -> Bool {
    guard error.code == .tooLarge, error.httpStatus != nil, case .page(let asked) = nextStep
    else { return false }
    let name = "limit=".utf8
    let parameters = asked.utf8.split(separator: UInt8(ascii: "&"))
    let last = parameters.last { $0.starts(with: name) }
    let limit = last.map { Int(String(decoding: $0.dropFirst(name.count), as: UTF8.self)) ?? 1 }
    let fewer = min(limit ?? UserPaging.serviceLimit, UserPaging.defaultLimit) / 2
    guard fewer > 0 else { return false }
    query.limit = fewer
    let others = parameters.filter { !$0.starts(with: name) }
    let text = others.reduce("limit=\(fewer)") { "\($0)&\(String(decoding: $1, as: UTF8.self))" }
    nextStep = .page(query: text)
    return true
  }
}

// MARK: - Look-ahead

extension UserPaging {
  /// Handles a failed look-ahead; throws if the page must not be requested again.
  ///
  /// That is if the caller cancelled the call, or before the service's `Retry-After` has passed.
  mutating func handle(_ failure: LookAheadFailure, at now: Int64) throws(ArgyleError) {
    if failure.wasCancelledByCaller { throw failure.error }
    if let wait = failure.error.retryAfterMilliseconds, (now - failure.time) / 1000 < wait {
      throw failure.error
    }
    _ = reducePageSize(after: failure.error)
  }
}

// MARK: - Adding pages

extension UserPaging {
  /// Adds a page given as text, strictly if it must be a page as a whole.
  mutating func add(textOf answer: Answer, strictly: Bool = false) throws(ArgyleError) {
    let outline: PageOutline
    do {
      outline = try PageOutline(answer.response.body, strictly: strictly)
    } catch {
      let reason = "the response cannot be parsed as JSON"
      throw answer.protocolError(reason, detail: error.reason)
    }
    try add(outline, answer)
  }

  /// Adds a page; a rejected page may be requested again.
  mutating func add(_ outline: PageOutline, _ answer: Answer) throws(ArgyleError) {
    switch outline {
    case .envelope(let next, let isEmpty):
      switch (next, version) {
      case (nil, _): nextStep = .end
      case (let link?, .v1): follow(link, answer)
      case (let link?, .v2): followCursor(link, answer)
      }
      checkProgress(isEmpty, answer)
    case .array(let count, let firstID) where version == .v1:
      try advance(past: count, beginningWith: firstID, answer)
    case .withoutResults:
      throw answer.protocolError("the response has no array \"results\"")
    case .array:
      throw answer.protocolError(UserPageDocument.wrongType(version, isArray: true))
    case .other:
      throw answer.protocolError(UserPageDocument.wrongType(version, isArray: false))
    }
  }

  /// Stops at too many empty pages, which would keep a caller waiting for a user forever.
  private mutating func checkProgress(_ isEmpty: Bool, _ answer: Answer) {
    emptyPages = isEmpty ? emptyPages + 1 : 0
    guard emptyPages >= UserPaging.maxEmptyPages, case .page = nextStep else { return }
    let reason = "the response is the \(emptyPages)th consecutive page without users"
    nextStep = .failure(answer.protocolError(reason))
  }

  /// Follows the link to the next page, using only its query, so that the key is sent to no other server.
  private mutating func follow(_ link: String, _ answer: Answer) {
    let query = UserPaging.query(of: Array(link.utf8))
    let isValid = query.allSatisfy { (0x21...0x7E).contains($0) }
    guard !query.isEmpty, query.count <= 8192, isValid else {
      let reason = "\"next\" in the response is not a link with a query"
      nextStep = .failure(answer.protocolError(reason))
      return
    }
    request(String(decoding: query, as: UTF8.self), answer)
  }

  /// Continues at a cursor with the page size and the filter of the first query.
  private mutating func followCursor(_ link: String, _ answer: Answer) {
    guard let cursor = UserPaging.cursor(in: link) else {
      var reason = "\"next\" in the response is not a link with a cursor"
      if UserPaging.parameter("offset", of: Array(link.utf8)) != nil {
        reason += APIVersion.v1.isResponse
      }
      nextStep = .failure(answer.protocolError(reason))
      return
    }
    query.cursor = nil
    request("\(query.text)&cursor=\(cursor)", answer)
  }

  /// Returns the cursor of a link, or a bare cursor, percent-encoded; nil if there is none.
  private static func cursor(in link: String) -> String? {
    let text = Array(link.utf8)
    let isBare = text.first != UInt8(ascii: "/") && !text.contains { ":?#".utf8.contains($0) }
    guard let cursor = isBare ? text[...] : parameter("cursor", of: text),
      1...8192 ~= cursor.count, cursor.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    // A percent sign is no character of base64: it begins an escape.
    return isBare
      ? PercentEncoding.encode(cursor, keeping: "%") : String(decoding: cursor, as: UTF8.self)
  }

  /// Returns the last parameter of a link with this name; nil if there is none.
  private static func parameter(_ name: String, of link: [UInt8]) -> ArraySlice<UInt8>? {
    let start = Array("\(name)=".utf8)
    let parameters = query(of: link).split(separator: UInt8(ascii: "&"))
    return parameters.last { $0.starts(with: start) }?.dropFirst(start.count)
  }

  /// Returns a link's query; empty if there is none.
  private static func query(of link: [UInt8]) -> ArraySlice<UInt8> {
    let withoutFragment = link.prefix { $0 != UInt8(ascii: "#") }
    return withoutFragment.drop { $0 != UInt8(ascii: "?") }.dropFirst()
  }

  /// After a bare array, advances the offset by the users received, until a page is empty.
  private mutating func advance(
    past count: Int,
    beginningWith firstID: String?,
    _ answer: Answer
  ) throws(ArgyleError) {
    guard count > 0 else {
      nextStep = .end
      return
    }
    if let lastFirstID, let firstID, lastFirstID.utf8.elementsEqual(firstID.utf8) {
      throw answer.protocolError("the response starts with the same user as the previous page")
    }
    lastFirstID = firstID
    query.offset = (query.offset ?? 0) + count
    request(query.text, answer)
  }

  private mutating func request(_ query: String, _ answer: Answer) {
    if case .page(let asked) = nextStep { history.add(asked) }
    nextStep =
      history.contains(query)
      ? .failure(answer.protocolError("the response leads back to an earlier page"))
      : .page(query: query)
  }
}

// MARK: - Description

#if !hasFeature(Embedded)
  extension UserPaging: CustomStringConvertible, CustomReflectable {
    var description: String { "UserPaging" }

    /// Empty, so that no dump of an iterator shows a query.
    var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
