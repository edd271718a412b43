import Support

/// The requested page of the list.
///
/// Invalid query parameters are ignored.
struct Page {
  private static var defaultLimit: Int { 10 }
  private static var maximumLimit: Int { 200 }
  /// More than any number of users, but far from overflow.
  private static var maximumOffset: Int { 1 << 53 }

  let limit: Int
  let offset: Int
  let newestFirst: Bool

  init(_ target: RequestTarget) {
    let limit = target.parameter("limit").flatMap { decimalNumber($0, limit: Self.maximumLimit) }
    self.limit = limit == 0 ? Self.defaultLimit : limit ?? Self.defaultLimit
    let offset = target.parameter("offset").flatMap { decimalNumber($0, limit: Self.maximumOffset) }
    self.offset = offset ?? 0
    newestFirst = target.parameter("ordering")?.matches("created_at") != true
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
    var url = request.origin + "/v1/users?limit=\(limit)"
    if offset > 0 { url += "&offset=\(offset)" }
    for parameter in request.target.parameters {
      if parameter.name.matches("limit") || parameter.name.matches("offset") { continue }
      url += "&" + PercentEncoding.sanitizeQuery(parameter.text)
    }
    return url
  }
}
