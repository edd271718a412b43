import Argyle
import Support

/// What an `argyle_user_cursor` points to: the walk, with the page's text that C borrows.
final class CursorObject {
  let walk: UserWalk
  /// The text that was given last.
  var text: CText?

  init(_ walk: UserWalk) {
    self.walk = walk
  }
}
