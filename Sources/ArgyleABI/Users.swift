import Argyle
import CArgyle
import CJansson
import Support

// The section "Users" of argyle.h, which documents every function in full.

/// Creates a user ("Create a user": POST /v1/users).
@_cdecl("argyle_user_create") @implementation
public func argyle_user_create(
  _ client: OpaquePointer?,
  _ external_metadata: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    var metadata: Metadata?
    if let external_metadata { metadata = try Metadata(external_metadata) }
    return try client.createUser(metadata).newReference()
  }
}

/// Retrieves a user ("Retrieve a user and their metadata": GET /v1/users/{id}).
@_cdecl("argyle_user_get") @implementation
public func argyle_user_get(
  _ client: OpaquePointer?,
  _ user_id: UnsafePointer<CChar>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    return try client.getUser(Arguments.userID(user_id)).newReference()
  }
}

/// Replaces the metadata of a user ("Update a user's metadata": PATCH /v1/users/{id}).
@_cdecl("argyle_user_update") @implementation
public func argyle_user_update(
  _ client: OpaquePointer?,
  _ user_id: UnsafePointer<CChar>?,
  _ external_metadata: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let id = try Arguments.userID(user_id)
    let metadata = try Metadata(Arguments.require(external_metadata, "external_metadata"))
    return try client.updateUser(id, metadata).newReference()
  }
}

/// Lists one page of users ("List users": GET /v1/users).
@_cdecl("argyle_user_list") @implementation
public func argyle_user_list(
  _ client: OpaquePointer?,
  _ query: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    return try client.listUsers(UserQuery(query)).newReference()
  }
}

/// Deletes a user with all accounts and resources ("Delete a user": DELETE /v1/users/{id}).
@_cdecl("argyle_user_delete") @implementation
public func argyle_user_delete(
  _ client: OpaquePointer?,
  _ user_id: UnsafePointer<CChar>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    try client.deleteUser(Arguments.userID(user_id))
    return 0
  }
}
