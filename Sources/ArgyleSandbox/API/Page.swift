import Support

/// The requested page of v1's list.
///
/// Invalid query parameters are ignored.
struct Page {
  static var defaultLimit: Int { 10 }
  private static var maximumLimit: Int { 200 }
  /// More than any number of users, but far from overflow.
  private static var maximumOffset: Int { 1 << 53 }

  let limit: Int
  let offset: Int
  let newestFirst: Bool

  init(_ target: RequestTarget) {
    limit = Self.limit(target) ?? Self.defaultLimit
    let offset = target.parameter("offset").flatMap { decimalNumber($0, limit: Self.maximumOffset) }
    self.offset = offset ?? 0
    newestFirst = target.parameter("ordering")?.matches("created_at") != true
  }

  /// Returns the requested size of a page, in both versions; nil if it is absent or invalid.
  static func limit(_ target: RequestTarget) -> Int? {
    let limit = target.parameter("limit").flatMap { decimalNumber($0, limit: maximumLimit) }
    return limit == 0 ? nil : limit
  }

  /// The URL of the next page; nil for the last page.
  func next(of count: Int, for request: HTTPRequest) -> String? {
    offset + limit < count ? url(offset: offset + limit, for: request) : nil
  }

  /// The URL of the previous page; nil for the first page.
  func previous(for request: HTTPRequest) -> String? {
    offset > 0 ? url(offset: max(0, offset - limit), for: request) : nil
  }

  /// The URL of a page, with other parameters as sent and without an offset of 0.
  private func url(offset: Int, for request: HTTPRequest) -> String {
    let offset = offset > 0 ? "&offset=\(offset)" : ""
    return request.url("/v1/users?limit=\(limit)\(offset)", replacing: ["limit", "offset"])
  }
}
