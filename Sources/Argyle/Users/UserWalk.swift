import CJansson
import Interop

/// A walk over all users as jansson values, page after page: the one way behind every cursor.
package final class UserWalk {
  /// Users on a page unless the caller said otherwise: the most that the service gives.
  private static let defaultLimit = 200

  /// What comes when the users of the page at hand have been given.
  private enum Following {
    /// The page that this query asks for.
    case page(query: String)
    /// Nothing more.
    case end
    /// The failure to find out, which stays.
    case failure(ArgyleError)
  }

  private let client: Client
  private var query: UserQuery
  private var page: UserPageDocument?
  private var index = 0
  private var following: Following
  /// A hash of each query that was asked, to notice a circle: 8 bytes a page, whatever its users.
  private var asked: [UInt64] = []
  /// The first id of the bare array before.
  private var lastFirstID: String?

  /// Prepares a walk; an error names what is wrong with the query.
  package init(_ client: Client, _ query: UserQuery) throws(ArgyleError) {
    self.client = client
    self.query = query
    if query.limit == nil { self.query.limit = UserWalk.defaultLimit }
    following = .page(query: self.query.text)
    // Last, because Embedded Swift leaks an object whose initialiser throws before all of it is set.
    try query.validate()
    try client.checkProcess()
  }

  /// The next user, or nil at the end.
  ///
  /// A page that could not be fetched is asked for again by the next call.
  package func next() throws(ArgyleError) -> JSONReference? {
    try client.checkProcess()
    while true {
      if let user = page?.results.item(index) {
        index += 1
        return user
      }
      switch following {
      case .page(let query): try fetch(query)
      case .end: return nil
      case .failure(let error): throw error
      }
    }
  }

  /// Asks for a page, and finds out what comes after it.
  private func fetch(_ text: String) throws(ArgyleError) {
    let answer = try client.perform(.listUsers(query: text))
    let page = try UserPageDocument(answer)
    var onward = query
    onward.offset = (query.offset ?? 0) + page.results.count
    following =
      page.isBareArray ? try advance(past: page, to: onward, answer) : link(in: page, answer)
    query = onward
    asked.append(UserWalk.hash(text))
    if case .page(let query) = following, asked.contains(UserWalk.hash(query)) {
      following = .failure(
        answer.protocolError("the page after the answer is one that was already given")
      )
    }
    self.page = page
    index = 0
  }
}

// MARK: - The following page

extension UserWalk {
  /// The query of the link to the next page: nothing else of it is used, so that the key goes nowhere else.
  private func link(in page: UserPageDocument, _ answer: Answer) -> Following {
    guard let link = page.document.member("next"), link.type != JSON_NULL else { return .end }
    let withoutFragment = (link.text ?? "").utf8.prefix { $0 != UInt8(ascii: "#") }
    let query = withoutFragment.drop { $0 != UInt8(ascii: "?") }.dropFirst()
    let isSendable = query.allSatisfy { (0x21...0x7E).contains($0) }
    guard !query.isEmpty, query.count <= 8192, isSendable else {
      return .failure(answer.protocolError("\"next\" in the answer is no link with a query"))
    }
    return .page(query: String(decoding: query, as: UTF8.self))
  }

  /// Where a bare array comes, the offset grows by what was received until a page is empty.
  private func advance(
    past page: UserPageDocument,
    to onward: UserQuery,
    _ answer: Answer
  ) throws(ArgyleError) -> Following {
    guard let firstID = page.results.item(0)?.member("id")?.text else { return .end }
    if let lastFirstID, lastFirstID.utf8.elementsEqual(firstID.utf8) {
      throw answer.protocolError("the answer begins with the same user as the page before")
    }
    lastFirstID = firstID
    return .page(query: onward.text)
  }

  /// FNV-1a.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
