import Argyle
import CArgyle
import CJansson
import Interop

// The section "User cursor" of argyle.h, which documents every function in full.

/// Starts a walk over all users.
@_cdecl("argyle_user_cursor_new") @implementation
public func argyle_user_cursor_new(
  _ client: OpaquePointer?,
  _ query: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    return Handle.make(try UserWalk(client, UserQuery(query)))
  }
}

/// Gives the next user.
@_cdecl("argyle_user_cursor_next") @implementation
public func argyle_user_cursor_next(
  _ cursor: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let cursor = try Arguments.require(cursor, "cursor")
    return try Handle.object(cursor, as: UserWalk.self).next()?.newReference()
  }
}

/// Frees a cursor.
@_cdecl("argyle_user_cursor_free") @implementation
public func argyle_user_cursor_free(_ cursor: OpaquePointer?) {
  Handle.free(cursor, as: UserWalk.self)
}
