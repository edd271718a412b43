import Argyle
import Support

/// What an `argyle_user_cursor` points to: the cursor, with the page's text that C borrows.
final class CursorObject {
  let cursor: UserCursor
  /// The text that was given last.
  var text: CText?

  init(_ cursor: UserCursor) {
    self.cursor = cursor
  }
}
