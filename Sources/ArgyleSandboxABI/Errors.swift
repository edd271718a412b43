import CArgyleSandbox
import Support

// The section "Errors" of argyle-sandbox.h, which documents every function in full.

/// Returns one sentence for humans; its wording may change between versions.
@_cdecl("argyle_sandbox_error_message") @implementation
public func argyle_sandbox_error_message(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  guard let error else { return ("" as StaticString).cString }
  return Handle.object(error, as: ErrorObject.self).message.pointer
}

/// Frees an error and the message borrowed from it.
@_cdecl("argyle_sandbox_error_free") @implementation
public func argyle_sandbox_error_free(_ error: OpaquePointer?) {
  Handle.free(error, as: ErrorObject.self)
}
