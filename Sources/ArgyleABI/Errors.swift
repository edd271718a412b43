import Argyle
import CArgyle
import CJansson
import Support

// The section "Errors" of argyle.h, which documents every function in full.

private func object(_ error: OpaquePointer?) -> ErrorObject? {
  error.map { Handle.object($0, as: ErrorObject.self) }
}

/// Returns the error code.
@_cdecl("argyle_error_code") @implementation
public func argyle_error_code(_ error: OpaquePointer?) -> Int32 {
  object(error)?.error.code.rawValue ?? 0
}

/// Returns the code's name, such as "not_found" for ARGYLE_ERROR_NOT_FOUND.
@_cdecl("argyle_error_name") @implementation
public func argyle_error_name(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  argyle_error_code_name(argyle_error_code(error))
}

/// Returns the name of a code without an error.
@_cdecl("argyle_error_code_name") @implementation
public func argyle_error_code_name(_ code: Int32) -> UnsafePointer<CChar>? {
  ArgyleError.Code(rawValue: code).staticName.cString
}

/// Returns one sentence for humans; its wording may change between versions.
@_cdecl("argyle_error_message") @implementation
public func argyle_error_message(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(error)?.message.pointer ?? ("" as StaticString).cString
}

/// Returns the HTTP status of the response.
@_cdecl("argyle_error_http_status") @implementation
public func argyle_error_http_status(_ error: OpaquePointer?) -> Int32 {
  Int32(clamping: object(error)?.error.httpStatus ?? 0)
}

/// Returns the response's X-Trace-Id, for Argyle's support to find the request.
@_cdecl("argyle_error_trace_id") @implementation
public func argyle_error_trace_id(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(error)?.traceID?.pointer
}

/// Returns whether the call is safe to retry and may succeed later.
@_cdecl("argyle_error_is_retryable") @implementation
public func argyle_error_is_retryable(_ error: OpaquePointer?) -> Int32 {
  object(error)?.error.isRetryable == true ? 1 : 0
}

/// Returns whether the service may have carried out the request despite the failure.
@_cdecl("argyle_error_outcome_is_unknown") @implementation
public func argyle_error_outcome_is_unknown(_ error: OpaquePointer?) -> Int32 {
  object(error)?.error.outcomeIsUnknown == true ? 1 : 0
}

/// Returns the wait that the service asked for in its Retry-After header, in milliseconds.
@_cdecl("argyle_error_retry_after_ms") @implementation
public func argyle_error_retry_after_ms(_ error: OpaquePointer?) -> Int64 {
  object(error)?.error.retryAfterMilliseconds ?? -1
}

/// Returns the number of attempts, each with one connection and one request.
@_cdecl("argyle_error_attempts") @implementation
public func argyle_error_attempts(_ error: OpaquePointer?) -> Int32 {
  Int32(clamping: object(error)?.error.attempts ?? 0)
}

/// Returns the response's body as JSON.
@_cdecl("argyle_error_body") @implementation
public func argyle_error_body(_ error: OpaquePointer?) -> UnsafeMutablePointer<json_t>? {
  // Valid beyond the body of `withValue`: the error object owns the reference.
  object(error)?.body?.withValue { $0 }
}

/// Returns the response's body as received.
@_cdecl("argyle_error_body_text") @implementation
public func argyle_error_body_text(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(error)?.bodyText?.pointer
}

/// Returns the size of the response's body.
@_cdecl("argyle_error_body_size") @implementation
public func argyle_error_body_size(_ error: OpaquePointer?) -> Int {
  object(error)?.error.bodyBytes?.count ?? 0
}

/// Frees an error and everything borrowed from it.
@_cdecl("argyle_error_free") @implementation
public func argyle_error_free(_ error: OpaquePointer?) {
  Handle.free(error, as: ErrorObject.self)
}
