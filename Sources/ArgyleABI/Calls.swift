import Argyle
import CArgyle
import CJansson
import Support

// The section "Calls" of argyle.h, which documents every function in full.

private func object(_ call: OpaquePointer?) -> CallObject? {
  call.map { Handle.object($0, as: CallObject.self) }
}

/// Creates a call.
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
    let document = document.map { Operation.Document.value($0) }
    let operation = try Operation(operation, client.apiVersion, user_id, document)
    return Handle.make(CallObject(try Call(client, operation)))
  }
}

/// Creates a call whose document is given as JSON text.
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
    let document = text.map { Operation.Document.text(Array($0)) }
    let operation = try Operation(operation, client.apiVersion, user_id, document)
    return Handle.make(CallObject(try Call(client, operation)))
  }
}

/// Runs a call and blocks until it is finished.
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

/// Returns a call's operation.
@_cdecl("argyle_call_operation") @implementation
public func argyle_call_operation(_ call: OpaquePointer?) -> Int32 {
  object(call)?.call.kind.rawValue ?? 0
}

/// Returns the id of a call's user.
@_cdecl("argyle_call_user_id") @implementation
public func argyle_call_user_id(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(call)?.borrowedUser?.pointer
}

/// Returns a failed call's error.
@_cdecl("argyle_call_error") @implementation
public func argyle_call_error(_ call: OpaquePointer?) -> OpaquePointer? {
  // Borrowed: the call object owns it. Creating it parses the body as JSON, which sets errno.
  guardingHost {
    object(call)?.error.map { OpaquePointer(Unmanaged.passUnretained($0).toOpaque()) }
  }
}

/// Returns the HTTP status of the last attempt's response.
@_cdecl("argyle_call_http_status") @implementation
public func argyle_call_http_status(_ call: OpaquePointer?) -> Int32 {
  Int32(clamping: object(call)?.call.status ?? 0)
}

/// Returns a header of the last attempt's response.
@_cdecl("argyle_call_header") @implementation
public func argyle_call_header(
  _ call: OpaquePointer?,
  _ name: UnsafePointer<CChar>?
) -> UnsafePointer<CChar>? {
  guard let name else { return nil }
  return object(call)?.header(String(cString: name))?.pointer
}

/// Returns a header of the last attempt's response by index.
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

/// Returns the body of the last attempt's response as received.
@_cdecl("argyle_call_body_text") @implementation
public func argyle_call_body_text(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  object(call)?.body?.pointer
}

/// Returns the size of the body of the last attempt's response.
@_cdecl("argyle_call_body_size") @implementation
public func argyle_call_body_size(_ call: OpaquePointer?) -> Int {
  object(call)?.call.body?.count ?? 0
}

/// Returns the response as JSON.
@_cdecl("argyle_call_json") @implementation
public func argyle_call_json(
  _ call: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> UnsafeMutablePointer<json_t>? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    try Arguments.call(call).json()?.newReference()
  }
}

/// Creates an error for a response that the caller cannot read.
@_cdecl("argyle_call_unreadable") @implementation
public func argyle_call_unreadable(
  _ call: OpaquePointer?,
  _ reason: UnsafePointer<CChar>?
) -> OpaquePointer? {
  makingError { () throws(ArgyleError) in
    try Arguments.call(call).call.unreadable(Arguments.text(reason, "reason"))
  }
}

/// Returns the number of attempts.
@_cdecl("argyle_call_attempts") @implementation
public func argyle_call_attempts(_ call: OpaquePointer?) -> Int32 {
  Int32(clamping: object(call)?.call.attempts ?? 0)
}

/// Returns a timing of the call in microseconds.
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

/// Frees a call and everything borrowed from it.
@_cdecl("argyle_call_free") @implementation
public func argyle_call_free(_ call: OpaquePointer?) {
  if let call = object(call)?.call {
    guardingHost { call.queue?.discard(call) }
    // In a forked child the queue still holds the call, whose handle is gone.
    call.context = nil
  }
  Handle.free(call, as: CallObject.self)
}

/// Creates a call for the next page.
@_cdecl("argyle_user_cursor_next_call") @implementation
public func argyle_user_cursor_next_call(
  _ cursor: OpaquePointer?,
  _ client: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let cursor = try Arguments.cursor(cursor)
    let call = try cursor.cursor.nextCall(Arguments.client(client))
    return call.map { Handle.make(CallObject($0)) }
  }
}

/// Adds the page of a finished call.
@_cdecl("argyle_user_cursor_add_page") @implementation
public func argyle_user_cursor_add_page(
  _ cursor: OpaquePointer?,
  _ call: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let cursor = try Arguments.cursor(cursor)
    return try cursor.cursor.addPage(Arguments.call(call).call) ? 1 : 0
  }
}
