import Argyle
import CArgyle
import CJansson
import Support

// The section "Client" of argyle.h, which documents every function in full.

/// Creates a client.
@_cdecl("argyle_client_new") @implementation
public func argyle_client_new(
  _ options: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let options = try ClientOptions(Arguments.require(options, "options"))
    return Handle.make(try Client(options))
  }
}

/// Creates a client from options given as JSON text.
@_cdecl("argyle_client_new_text") @implementation
public func argyle_client_new_text(
  _ options: UnsafePointer<CChar>?,
  _ size: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    Handle.make(try Client(ClientOptions(ClientOptionsText(options, size, "options"))))
  }
}

/// Creates a client with some options changed that shares another's connections.
@_cdecl("argyle_client_with") @implementation
public func argyle_client_with(
  _ client: OpaquePointer?,
  _ overrides: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let overrides = try Arguments.require(overrides, "overrides")
    return Handle.make(
      try client.with { options throws(ArgyleError) in try options.replace(with: overrides) }
    )
  }
}

/// Creates a client that shares another's connections, with overrides given as JSON text.
@_cdecl("argyle_client_with_text") @implementation
public func argyle_client_with_text(
  _ client: OpaquePointer?,
  _ overrides: UnsafePointer<CChar>?,
  _ size: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let overrides = try ClientOptionsText(overrides, size, "overrides")
    return Handle.make(
      try client.with { options throws(ArgyleError) in try options.replace(with: overrides) }
    )
  }
}

/// Creates a client whose blocking functions can be ended by a signal.
@_cdecl("argyle_client_with_interrupt") @implementation
public func argyle_client_with_interrupt(
  _ client: OpaquePointer?,
  _ function: argyle_interrupt_function?,
  _ context: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    return Handle.make(try client.with(function.map { Interruption($0, context) }))
  }
}

/// Creates a client that logs its calls to a function.
@_cdecl("argyle_client_with_log") @implementation
public func argyle_client_with_log(
  _ client: OpaquePointer?,
  _ function: argyle_log_function?,
  _ context: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    guard let function else { return Handle.make(try client.with(log: nil)) }
    let log = LogFunction(function: function, context: context)
    return Handle.make(try client.with(log: { log.receive($0) }))
  }
}

/// Frees a client; its connections are closed with the last client that shares them.
@_cdecl("argyle_client_free") @implementation
public func argyle_client_free(_ client: OpaquePointer?) {
  Handle.free(client, as: Client.self)
}
