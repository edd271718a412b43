import Argyle
import CArgyle
import CJansson
import Support

// The section "User cursor" of argyle.h, which documents every function in full.

/// Creates a cursor over all users.
@_cdecl("argyle_user_cursor_new") @implementation
public func argyle_user_cursor_new(
  _ client: OpaquePointer?,
  _ query: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    return Handle.make(CursorObject(try UserCursor(client, UserQuery(query))))
  }
}

/// Creates a cursor over all users with a query given as JSON text.
@_cdecl("argyle_user_cursor_new_text") @implementation
public func argyle_user_cursor_new_text(
  _ client: OpaquePointer?,
  _ query: UnsafePointer<CChar>?,
  _ size: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let query = try UserQuery(text: Arguments.bytes(query, size, "query"))
    return Handle.make(CursorObject(try UserCursor(client, query)))
  }
}

/// Returns the next user.
@_cdecl("argyle_user_cursor_next") @implementation
public func argyle_user_cursor_next(
  _ cursor: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    try Arguments.cursor(cursor).cursor.nextUserDocument()?.newReference()
  }
}

/// Returns the next page.
@_cdecl("argyle_user_cursor_next_page") @implementation
public func argyle_user_cursor_next_page(
  _ cursor: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    try Arguments.cursor(cursor).cursor.nextPageDocument()?.newReference()
  }
}

/// Returns the text of the next page as received.
@_cdecl("argyle_user_cursor_next_page_text") @implementation
public func argyle_user_cursor_next_page_text(
  _ cursor: OpaquePointer?,
  _ size: UnsafeMutablePointer<Int>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafePointer<CChar>? {
  size?.pointee = 0
  return reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let cursor = try Arguments.cursor(cursor)
    cursor.text = nil
    guard let text = try cursor.cursor.nextPageText() else { return nil }
    size?.pointee = text.count
    cursor.text = CText(text)
    return cursor.text?.pointer
  }
}

/// Creates an error for a page that the caller cannot read.
@_cdecl("argyle_user_cursor_unreadable") @implementation
public func argyle_user_cursor_unreadable(
  _ cursor: OpaquePointer?,
  _ reason: UnsafePointer<CChar>?
) -> OpaquePointer? {
  makingError { () throws(ArgyleError) in
    try Arguments.cursor(cursor).cursor.unreadable(Arguments.text(reason, "reason"))
  }
}

/// Frees a cursor.
@_cdecl("argyle_user_cursor_free") @implementation
public func argyle_user_cursor_free(_ cursor: OpaquePointer?) {
  Handle.free(cursor, as: CursorObject.self)
}
