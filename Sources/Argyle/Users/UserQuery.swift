import Support

/// Which users to list, and in what order.
public struct UserQuery: Sendable {
  /// The order of a list by the time at which the users were created.
  public enum Ordering: Sendable {
    /// Newest first, as the service does unless told otherwise.
    case newestFirst
    /// Oldest first.
    case oldestFirst
  }

  /// Users on a page, 1 to 2147483647; nil for the service's default of 10.
  ///
  /// The service gives 200 at the most.
  public var limit: Int?

  /// Users to pass over, 0 to 9007199254740991; nil for none.
  public var offset: Int?

  /// The order; nil for the service's default.
  public var ordering: Ordering?

  /// Makes a query.
  public init(limit: Int? = nil, offset: Int? = nil, ordering: Ordering? = nil) {
    self.limit = limit
    self.offset = offset
    self.ordering = ordering
  }
}

// MARK: - Encoding

extension UserQuery {
  /// Every part of a query under the name that argyle.h has for it, with its type and its rule.
  package static var table: OptionTable<UserQuery> {
    OptionTable([
      Option("limit", .integer(1...Int(Int32.max), { $0.limit }, { $0.limit = $1 })),
      // The largest whole number that every JSON reader holds exactly.
      Option("offset", .integer(0...9_007_199_254_740_991, { $0.offset }, { $0.offset = $1 })),
      Option(
        "ordering",
        .choice(["created_at", "-created_at"]) {
          $0.ordering = $1 == 0 ? .oldestFirst : .newestFirst
        }
      ),
    ])
  }

  /// Checks the numbers; an error names the one that is out of range.
  package func validate() throws(ArgyleError) {
    try ArgyleError.ofOptions { () throws(OptionError) in try UserQuery.table.check(self) }
  }

  /// The query part of the URL, empty where nothing is asked for.
  package var text: String {
    var text = ""
    func add(_ key: String, _ value: String) {
      text += text.isEmpty ? "\(key)=\(value)" : "&\(key)=\(value)"
    }
    if let limit { add("limit", "\(limit)") }
    if let offset { add("offset", "\(offset)") }
    switch ordering {
    case .newestFirst: add("ordering", "-created_at")
    case .oldestFirst: add("ordering", "created_at")
    case nil: break
    }
    return text
  }
}
