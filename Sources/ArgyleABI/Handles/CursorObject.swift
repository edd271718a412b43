import Argyle
import Support

/// The object behind an `argyle_user_cursor`: the cursor and the page text that C borrows.
final class CursorObject {
  let cursor: UserCursor
  /// The text returned last.
  var text: CText?

  init(_ cursor: UserCursor) {
    self.cursor = cursor
  }
}
