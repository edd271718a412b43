import Support
import Transport

/// How a list goes on from page to page: pages go in, the next query comes out.
///
/// It knows no network, so that a blocking walk and an asynchronous one go the same way.
struct UserPaging {
  /// Users on a page unless the caller said otherwise: the most that the service gives.
  private static let defaultLimit = 200
  /// Users on a page that a query without a limit asks for.
  private static let serviceLimit = 10
  /// How many pages in a row may have no user and yet a link to the next: more than a service has reason for.
  private static let maxEmptyPages = 100

  /// What comes after the pages that were taken in.
  enum NextStep {
    /// The page that this query asks for.
    case page(query: String)
    /// Nothing more.
    case end
    /// The failure to find out, which stays.
    case failure(ArgyleError)
  }

  private(set) var nextStep: NextStep
  private var query: UserQuery
  private var history = QueryHistory()
  /// How many pages without a user came last.
  private var emptyPages = 0
  /// The first id of the bare array before.
  private var lastFirstID: String?

  /// Begins with the page that a query asks for, which has to be valid.
  init(_ query: UserQuery) {
    self.query = query
    if query.limit == nil { self.query.limit = UserPaging.defaultLimit }
    nextStep = .page(query: self.query.text)
  }
}

// MARK: - Pages that are too large

extension UserPaging {
  /// Asks for half as many users where a page failed because it was too large; false where it was to have one user alone.
  ///
  /// Headers that are too large have nothing to do with the users: then no status is told.
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

// MARK: - Pages asked for ahead

extension UserPaging {
  /// Takes in that a page which was asked for ahead did not come; an error where it may not be asked for again.
  ///
  /// It may not where the caller has ended the call, or before the time that the service has set.
  mutating func take(_ failure: LookAheadFailure, at now: Int64) throws(ArgyleError) {
    if failure.wasCancelledByCaller { throw failure.error }
    if let wait = failure.error.retryAfterMilliseconds, (now - failure.time) / 1000 < wait {
      throw failure.error
    }
    _ = reducePageSize(after: failure.error)
  }
}

// MARK: - Taking pages in

extension UserPaging {
  /// Takes in a page as text.
  mutating func take(textOf answer: Answer) throws(ArgyleError) {
    let outline: PageOutline
    do {
      outline = try PageOutline(answer.response.body)
    } catch {
      let reason = "the answer is not JSON that can be read"
      throw answer.protocolError(reason, detail: error.reason)
    }
    try take(outline, answer)
  }

  /// Takes in what a page says; a page that is refused may be asked for again.
  mutating func take(_ outline: PageOutline, _ answer: Answer) throws(ArgyleError) {
    switch outline {
    case .envelope(let next, let count):
      follow(next, answer)
      if let count { checkProgress(count, answer) }
    case .array(let count, let firstID):
      try advance(past: count, beginningWith: firstID, answer)
    case .other:
      throw answer.protocolError("the answer is neither a JSON object nor an array of users")
    }
  }

  /// Ends a walk that would give whoever wants a user none for ever.
  private mutating func checkProgress(_ count: Int, _ answer: Answer) {
    emptyPages = count == 0 ? emptyPages + 1 : 0
    guard emptyPages >= UserPaging.maxEmptyPages, case .page = nextStep else { return }
    let reason = "the answer is the \(emptyPages)th page in a row without a user"
    nextStep = .failure(answer.protocolError(reason))
  }

  /// Follows the link to the next page: nothing but its query is used, so that the key goes nowhere else.
  private mutating func follow(_ link: String?, _ answer: Answer) {
    guard let link else {
      nextStep = .end
      return
    }
    let withoutFragment = link.utf8.prefix { $0 != UInt8(ascii: "#") }
    let query = withoutFragment.drop { $0 != UInt8(ascii: "?") }.dropFirst()
    let isValid = query.allSatisfy { (0x21...0x7E).contains($0) }
    guard !query.isEmpty, query.count <= 8192, isValid else {
      nextStep = .failure(answer.protocolError("\"next\" in the answer is no link with a query"))
      return
    }
    request(String(decoding: query, as: UTF8.self), answer)
  }

  /// Where a bare array comes, the offset grows by what was received until a page is empty.
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
      throw answer.protocolError("the answer begins with the same user as the page before")
    }
    lastFirstID = firstID
    query.offset = (query.offset ?? 0) + count
    request(query.text, answer)
  }

  private mutating func request(_ query: String, _ answer: Answer) {
    if case .page(let asked) = nextStep { history.add(asked) }
    nextStep =
      history.contains(query)
      ? .failure(answer.protocolError("the page after the answer is one that was already given"))
      : .page(query: query)
  }
}
