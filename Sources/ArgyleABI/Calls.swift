import Argyle
import CArgyle
import CJansson
import Support

// The section "Calls" of argyle.h, which documents every function in full.

private func object(_ call: OpaquePointer?) -> CallObject? {
  call.map { Handle.object($0, as: CallObject.self) }
}

/// Prepares a call.
@_cdecl("argyle_call_new") @implementation
public func argyle_call_new(
  _ client: OpaquePointer?,
  _ operation: Int32,
  _ user_id: UnsafePointer<CChar>?,
  _ document: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let operation = try Operation(operation, user_id, document.map { .value($0) })
    return Handle.make(CallObject(try Call(client, operation), operation))
  }
}

/// Prepares a call whose document is given as JSON text.
@_cdecl("argyle_call_new_text") @implementation
public func argyle_call_new_text(
  _ client: OpaquePointer?,
  _ operation: Int32,
  _ user_id: UnsafePointer<CChar>?,
  _ document: UnsafePointer<CChar>?,
  _ size: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let client = try Arguments.client(client)
    let text = try Arguments.bytes(document, size, "document")
    let operation = try Operation(operation, user_id, text.map { .text(Array($0)) })
    return Handle.make(CallObject(try Call(client, operation), operation))
  }
}

/// Runs a call alone.
@_cdecl("argyle_call_run") @implementation
public func argyle_call_run(
  _ call: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    try Arguments.call(call).call.run()
    return 0
  }
}

/// Returns which operation a call is.
@_cdecl("argyle_call_operation") @implementation
public func argyle_call_operation(_ call: OpaquePointer?) -> Int32 {
  object(call)?.operation.rawValue ?? 0
}

/// Returns the id of the user that a call was made for.
@_cdecl("argyle_call_user_id") @implementation
public func argyle_call_user_id(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(call)?.borrowedUser?.pointer
}

/// Tells why a call failed.
@_cdecl("argyle_call_error") @implementation
public func argyle_call_error(_ call: OpaquePointer?) -> OpaquePointer? {
  // Lent: the call object holds it. Making it reads the body as JSON, which sets errno.
  guardingHost {
    object(call)?.error.map { OpaquePointer(Unmanaged.passUnretained($0).toOpaque()) }
  }
}

/// Tells the HTTP status of the answer to the last attempt.
@_cdecl("argyle_call_http_status") @implementation
public func argyle_call_http_status(_ call: OpaquePointer?) -> Int32 {
  Int32(clamping: object(call)?.call.status ?? 0)
}

/// Gives a header of the answer to the last attempt.
@_cdecl("argyle_call_header") @implementation
public func argyle_call_header(
  _ call: OpaquePointer?,
  _ name: UnsafePointer<CChar>?
) -> UnsafePointer<CChar>? {
  guard let name else { return nil }
  return object(call)?.header(String(cString: name))?.pointer
}

/// Gives the headers of the answer to the last attempt, one after the other.
@_cdecl("argyle_call_header_at") @implementation
public func argyle_call_header_at(
  _ call: OpaquePointer?,
  _ index: Int,
  _ value: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> UnsafePointer<CChar>? {
  let header = object(call)?.header(at: index)
  value?.pointee = header?.value.pointer
  return header?.name.pointer
}

/// Gives the body of the answer to the last attempt as it was received.
@_cdecl("argyle_call_body_text") @implementation
public func argyle_call_body_text(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(call)?.body?.pointer
}

/// Tells how long the body of the answer to the last attempt is.
@_cdecl("argyle_call_body_size") @implementation
public func argyle_call_body_size(_ call: OpaquePointer?) -> Int {
  object(call)?.call.body?.count ?? 0
}

/// Gives the answer as JSON.
@_cdecl("argyle_call_json") @implementation
public func argyle_call_json(
  _ call: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    try Arguments.call(call).json()?.newReference()
  }
}

/// Makes the error of an answer that the caller cannot read.
@_cdecl("argyle_call_unreadable") @implementation
public func argyle_call_unreadable(
  _ call: OpaquePointer?,
  _ reason: UnsafePointer<CChar>?
) -> OpaquePointer? {
  makingError { () throws(ArgyleError) in
    try Arguments.call(call).call.unreadable(Arguments.text(reason, "reason"))
  }
}

/// Counts the attempts that were made.
@_cdecl("argyle_call_attempts") @implementation
public func argyle_call_attempts(_ call: OpaquePointer?) -> Int32 {
  Int32(clamping: object(call)?.call.attempts ?? 0)
}

/// Tells how long a part of the call took.
@_cdecl("argyle_call_time_us") @implementation
public func argyle_call_time_us(_ call: OpaquePointer?, _ time: Int32) -> Int64 {
  guard let call = object(call)?.call, call.isFinished else { return -1 }
  let times = call.times
  switch time {
  case 1: return Int64(times.total)
  case 2: return Int64(times.waiting)
  case 3: return Int64(times.nameResolved)
  case 4: return Int64(times.connected)
  case 5: return Int64(times.secured)
  case 6: return Int64(times.answerBegan)
  case 7: return Int64(times.ended)
  default: return -1
  }
}

/// Frees a call and all that was borrowed from it.
@_cdecl("argyle_call_free") @implementation
public func argyle_call_free(_ call: OpaquePointer?) {
  if let call = object(call)?.call {
    guardingHost { call.queue?.discard(call) }
    // A forked child's queue goes on holding the call, whose handle is gone.
    call.context = nil
  }
  Handle.free(call, as: CallObject.self)
}
