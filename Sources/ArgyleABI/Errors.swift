import Argyle
import CArgyle
import CJansson
import Support

// The section "Errors" of argyle.h, which documents every function in full.

private func object(_ error: OpaquePointer?) -> ErrorObject? {
  error.map { Handle.object($0, as: ErrorObject.self) }
}

/// Tells why the call failed.
@_cdecl("argyle_error_code") @implementation
public func argyle_error_code(_ error: OpaquePointer?) -> Int32 {
  object(error)?.error.code.rawValue ?? 0
}

/// Names the code, as "not_found" for ARGYLE_ERROR_NOT_FOUND.
@_cdecl("argyle_error_name") @implementation
public func argyle_error_name(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  argyle_error_code_name(argyle_error_code(error))
}

/// Names a code without an error.
@_cdecl("argyle_error_code_name") @implementation
public func argyle_error_code_name(_ code: Int32) -> UnsafePointer<CChar>? {
  ArgyleError.Code(rawValue: code).staticName.cString
}

/// Says in one sentence what failed, for people; its wording may change between versions.
@_cdecl("argyle_error_message") @implementation
public func argyle_error_message(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(error)?.message.pointer ?? ("" as StaticString).cString
}

/// Tells the HTTP status of the answer.
@_cdecl("argyle_error_http_status") @implementation
public func argyle_error_http_status(_ error: OpaquePointer?) -> Int32 {
  Int32(clamping: object(error)?.error.httpStatus ?? 0)
}

/// Tells the X-Trace-Id of the answer, by which Argyle's support can find the request.
@_cdecl("argyle_error_trace_id") @implementation
public func argyle_error_trace_id(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(error)?.traceID?.pointer
}

/// Tells whether the same call may succeed later and can be repeated without doing anything twice.
@_cdecl("argyle_error_is_retryable") @implementation
public func argyle_error_is_retryable(_ error: OpaquePointer?) -> Int32 {
  object(error)?.error.isRetryable == true ? 1 : 0
}

/// Tells whether the service may have carried out what was asked, though no success was told.
@_cdecl("argyle_error_outcome_is_unknown") @implementation
public func argyle_error_outcome_is_unknown(_ error: OpaquePointer?) -> Int32 {
  object(error)?.error.outcomeIsUnknown == true ? 1 : 0
}

/// Tells how long the service asked to wait, from its Retry-After header.
@_cdecl("argyle_error_retry_after_ms") @implementation
public func argyle_error_retry_after_ms(_ error: OpaquePointer?) -> Int64 {
  object(error)?.error.retryAfterMilliseconds ?? -1
}

/// Counts the attempts that were made, each of one connection and one request.
@_cdecl("argyle_error_attempts") @implementation
public func argyle_error_attempts(_ error: OpaquePointer?) -> Int32 {
  Int32(clamping: object(error)?.error.attempts ?? 0)
}

/// Gives the body of the answer as JSON.
@_cdecl("argyle_error_body") @implementation
public func argyle_error_body(_ error: OpaquePointer?) -> UnsafeMutablePointer<json_t>? {
  // Lent beyond the body of `withValue`: the error object holds the reference for as long as it lives.
  object(error)?.body?.withValue { $0 }
}

/// Gives the body of the answer as it was received.
@_cdecl("argyle_error_body_text") @implementation
public func argyle_error_body_text(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(error)?.bodyText?.pointer
}

/// Tells how long the body of the answer is.
@_cdecl("argyle_error_body_size") @implementation
public func argyle_error_body_size(_ error: OpaquePointer?) -> Int {
  object(error)?.error.bodyBytes?.count ?? 0
}

/// Releases an error and all that was borrowed from it.
@_cdecl("argyle_error_free") @implementation
public func argyle_error_free(_ error: OpaquePointer?) {
  Handle.free(error, as: ErrorObject.self)
}
