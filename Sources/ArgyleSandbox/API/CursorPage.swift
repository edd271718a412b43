import Support

/// The requested page of v2's list.
struct CursorPage {
  let cursor: UserCursor

  /// Reads the parameters, which take precedence over those in the cursor; returns nil if the cursor is invalid.
  init?(_ target: RequestTarget, _ cursors: CursorIssuer) {
    var cursor = UserCursor(
      limit: Page.defaultLimit,
      externalID: nil,
      position: .start,
      isBackward: false
    )
    if let text = target.parameter("cursor"), !text.isEmpty {
      guard let given = cursors.cursor(text) else { return nil }
      cursor = given
    }
    if let limit = Page.limit(target) { cursor.limit = limit }
    // An empty filter is none, as in django-filter.
    if let id = target.parameter("external_id"), !id.isEmpty {
      cursor.externalID = JSONWriter.string(id)
    }
    self.cursor = cursor
  }
}
