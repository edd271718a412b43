import Argyle
import CArgyle
import CJansson
import Support

// The section "Users" of argyle.h, which documents every function in full.

/// Creates a user ("Create a user": POST /users).
@_cdecl("argyle_user_create") @implementation
public func argyle_user_create(
  _ client: OpaquePointer?,
  _ external_metadata: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    var user: UserDocument?
    if let external_metadata { user = try UserDocument(external_metadata, .metadata) }
    return try client.createUser(user).newReference()
  }
}

/// Creates a user with fields ("Create a user": POST /users).
@_cdecl("argyle_user_create_with_fields") @implementation
public func argyle_user_create_with_fields(
  _ client: OpaquePointer?,
  _ fields: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let user = try UserDocument(Arguments.require(fields, "fields"), .fields)
    return try client.createUser(user).newReference()
  }
}

/// Retrieves a user ("Retrieve a user and their metadata": GET /users/{id}).
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

/// Replaces the metadata of a user ("Update a user's metadata": PATCH /users/{id}).
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
    let metadata = try Arguments.require(external_metadata, "external_metadata")
    return try client.updateUser(id, UserDocument(metadata, .metadata)).newReference()
  }
}

/// Updates fields of a user ("Update a user": PATCH /users/{id}).
@_cdecl("argyle_user_update_with_fields") @implementation
public func argyle_user_update_with_fields(
  _ client: OpaquePointer?,
  _ user_id: UnsafePointer<CChar>?,
  _ fields: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let id = try Arguments.userID(user_id)
    let user = try UserDocument(Arguments.require(fields, "fields"), .fields)
    return try client.updateUser(id, user).newReference()
  }
}

/// Lists one page of users ("List users": GET /users).
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

/// Deletes a user with all accounts and resources ("Delete a user": DELETE /users/{id}).
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
