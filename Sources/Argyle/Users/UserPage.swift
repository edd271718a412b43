import Support

/// One page of a list of users ("List users").
public struct UserPage: Sendable, Equatable {
  /// The users on the page.
  public let results: [User]

  /// The service's link to the next page, nil on the last one; a ``UserCursor`` follows it.
  public let next: String?

  /// The service's link to the previous page, nil on the first one.
  public let previous: String?

  /// Total number of users; nil if the service did not send it.
  public let count: Int64?

  init(_ document: JSONReference) {
    let users = document.member("results")
    results = (0..<(users?.count ?? 0)).compactMap { users?.item($0).map { User($0) } }
    next = document.member("next")?.text
    previous = document.member("previous")?.text
    count = document.member("count")?.integer
  }
}

// MARK: - Description

extension UserPage: CustomStringConvertible {
  /// Only the number of users.
  public var description: String { "UserPage(\(results.count) users)" }
}

#if !hasFeature(Embedded)
  extension UserPage: CustomReflectable {
    /// Without the links, which contain the query.
    public var customMirror: Mirror {
      Mirror(self, children: ["results": results, "count": count as Any])
    }
  }
#endif
