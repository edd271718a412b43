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
  ///
  /// Version 1 of the API only.
  public var offset: Int?

  /// The order; nil for the service's default.
  ///
  /// Version 1 of the API only.
  public var ordering: Ordering?

  /// Where to continue, 1 to 8192 bytes: the `cursor` of a page's ``UserPage/next``, decoded.
  ///
  /// Version 2 of the API only.
  public var cursor: String?

  /// Only users with this `external_id`, 1 to 1024 bytes; nil for all users.
  ///
  /// Version 2 of the API only.
  public var externalID: String?

  /// Creates a query.
  public init(
    limit: Int? = nil,
    offset: Int? = nil,
    ordering: Ordering? = nil,
    cursor: String? = nil,
    externalID: String? = nil
  ) {
    self.limit = limit
    self.offset = offset
    self.ordering = ordering
    self.cursor = cursor
    self.externalID = externalID
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
      Option(
        "cursor",
        .text({ $0.cursor }, { $0.cursor = $1 }, rule: { rule(ofLength: $0, 8192) })
      ),
      Option(
        "external_id",
        .text({ $0.externalID }, { $0.externalID = $1 }, rule: { rule(ofLength: $0, 1024) })
      ),
    ])
  }

  /// Empty texts would be ignored by the service, and list all users.
  private static func rule(ofLength text: String, _ maximum: Int) -> String? {
    (1...maximum).contains(text.utf8.count) ? nil : "must be 1 to \(maximum) bytes"
  }

  /// Validates the parameters; the error names the one that breaks a rule, or that the version lacks.
  package func validate(_ version: APIVersion) throws(ArgyleError) {
    try ArgyleError.wrapping { () throws(OptionError) in
      try UserQuery.table.check(self)
      switch version {
      case .v1:
        if cursor != nil { throw .invalid("cursor", "needs api_version 2") }
        if externalID != nil { throw .invalid("external_id", "needs api_version 2") }
      case .v2:
        if offset != nil { throw .invalid("offset", "needs api_version 1") }
        if ordering != nil { throw .invalid("ordering", "needs api_version 1") }
      }
    }
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
    if let externalID { add("external_id", PercentEncoding.encode(externalID.utf8)) }
    if let cursor { add("cursor", PercentEncoding.encode(cursor.utf8)) }
    return text
  }
}

// MARK: - Description

extension UserQuery: CustomStringConvertible {
  /// Only the type's name: an external id may be personal data.
  public var description: String { "UserQuery" }
}

#if !hasFeature(Embedded)
  extension UserQuery: CustomReflectable {
    /// Without the external id, and the cursor, which may contain it.
    public var customMirror: Mirror {
      Mirror(
        self,
        children: [
          "limit": limit as Any, "offset": offset as Any, "ordering": ordering as Any,
        ]
      )
    }
  }
#endif
