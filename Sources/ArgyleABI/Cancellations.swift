import Argyle
import CArgyle
import CJansson
import Support

// The section "Cancellations" of argyle.h, which documents every function in full.

/// Creates a cancellation.
@_cdecl("argyle_cancellation_new") @implementation
public func argyle_cancellation_new(
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    Handle.make(try Cancellation())
  }
}

/// Creates a client whose blocking functions can be cancelled from another thread.
@_cdecl("argyle_client_with_cancellation") @implementation
public func argyle_client_with_cancellation(
  _ client: OpaquePointer?,
  _ cancellation: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let cancellation = cancellation.map { Handle.object($0, as: Cancellation.self) }
    return Handle.make(try client.with(cancellation))
  }
}

/// Cancels the blocking functions of clients created with a cancellation.
@_cdecl("argyle_cancellation_cancel") @implementation
public func argyle_cancellation_cancel(_ cancellation: OpaquePointer?) {
  guard let cancellation else { return }
  guardingHost { Handle.object(cancellation, as: Cancellation.self).cancel() }
}

/// Frees a cancellation.
@_cdecl("argyle_cancellation_free") @implementation
public func argyle_cancellation_free(_ cancellation: OpaquePointer?) {
  Handle.free(cancellation, as: Cancellation.self)
}
