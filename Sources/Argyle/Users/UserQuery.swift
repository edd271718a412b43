import Support

/// Which users to list, and in what order.
public struct UserQuery: Sendable {
  /// Order by creation time.
  public enum Ordering: Sendable {
    /// Newest first, the service's default.
    case newestFirst
    /// Oldest first.
    case oldestFirst
  }

  /// Page size, 1 to 2147483647; nil for the service's default of 10.
  ///
  /// The service returns at most 200.
  public var limit: Int?

  /// Number of users to skip, 0 to 9007199254740991; nil for none.
  public var offset: Int?

  /// The order; nil for the service's default.
  public var ordering: Ordering?

  /// Creates a query.
  public init(limit: Int? = nil, offset: Int? = nil, ordering: Ordering? = nil) {
    self.limit = limit
    self.offset = offset
    self.ordering = ordering
  }
}

// MARK: - Encoding

extension UserQuery {
  /// Every parameter by its name in argyle.h, with its type and rule.
  package static var table: OptionTable<UserQuery> {
    OptionTable([
      Option("limit", .integer(1...Int(Int32.max), { $0.limit }, { $0.limit = $1 })),
      // The largest integer that every JSON parser represents exactly.
      Option("offset", .integer(0...9_007_199_254_740_991, { $0.offset }, { $0.offset = $1 })),
      Option(
        "ordering",
        .choice(["created_at", "-created_at"]) {
          $0.ordering = $1 == 0 ? .oldestFirst : .newestFirst
        }
      ),
    ])
  }

  /// Validates the numbers; the error names the one out of range.
  package func validate() throws(ArgyleError) {
    try ArgyleError.wrapping { () throws(OptionError) in try UserQuery.table.check(self) }
  }

  /// The URL's query; empty if nothing is set.
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
