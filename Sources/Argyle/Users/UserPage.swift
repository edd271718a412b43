import Interop

/// One page of a list of users ("List users").
public struct UserPage: Sendable, Equatable {
  /// The users on the page.
  public let results: [User]

  /// The service's link to the next page, or nil on the last one; a ``UserCursor`` follows it.
  public let next: String?

  /// The service's link to the page before, or nil on the first one.
  public let previous: String?

  /// How many users there are in all, or nil where the service did not say.
  public let count: Int64?

  init(_ page: UserPageDocument) {
    results = (0..<page.results.count).compactMap { page.results.item($0).map { User($0) } }
    next = page.document.member("next")?.text
    previous = page.document.member("previous")?.text
    count = page.document.member("count")?.integer
  }
}
