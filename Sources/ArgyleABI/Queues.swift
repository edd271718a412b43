import Argyle
import CArgyle
import CJansson
import Support

// The section "Queues" of argyle.h, which documents every function in full.

/// Creates a queue.
@_cdecl("argyle_queue_new") @implementation
public func argyle_queue_new(
  _ options: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let options = try QueueOptions(options)
    return Handle.make(QueueObject(try CallQueue.make(maxInFlight: options.maxInFlight)))
  }
}

/// Creates a queue from options given as JSON text.
@_cdecl("argyle_queue_new_text") @implementation
public func argyle_queue_new_text(
  _ options: UnsafePointer<CChar>?,
  _ size: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let options = try QueueOptions(text: Arguments.bytes(options, size, "options"))
    return Handle.make(QueueObject(try CallQueue.make(maxInFlight: options.maxInFlight)))
  }
}

/// Submits a call to a queue.
@_cdecl("argyle_queue_submit") @implementation
public func argyle_queue_submit(
  _ queue: OpaquePointer?,
  _ call: OpaquePointer?,
  _ tag: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let queue = try Arguments.queue(queue)
    let call = try Arguments.call(call)
    try queue.use { (queue) throws(ArgyleError) in try queue.submit(call.call) }
    call.tag = tag
    return 0
  }
}

/// Returns the descriptor to wait on.
@_cdecl("argyle_queue_fd") @implementation
public func argyle_queue_fd(
  _ queue: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let queue = try Arguments.queue(queue)
    return try queue.use { (queue) throws(ArgyleError) in try queue.shareDescriptor() }
  }
}

/// Does everything that can be done without blocking.
@_cdecl("argyle_queue_drive") @implementation
public func argyle_queue_drive(
  _ queue: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let queue = try Arguments.queue(queue)
    return try queue.use { (queue) throws(ArgyleError) in
      try queue.drive()
      return Int32(clamping: queue.readyCount)
    }
  }
}

/// Blocks until a call is finished.
@_cdecl("argyle_queue_wait") @implementation
public func argyle_queue_wait(
  _ queue: OpaquePointer?,
  _ timeout_ms: Int32,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let queue = try Arguments.queue(queue)
    return try queue.use { (queue) throws(ArgyleError) in
      try queue.wait(milliseconds: timeout_ms < 0 ? nil : Int(timeout_ms))
      return Int32(clamping: queue.readyCount)
    }
  }
}

/// Takes a finished call.
@_cdecl("argyle_queue_next") @implementation
public func argyle_queue_next(
  _ queue: OpaquePointer?,
  _ tag: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  reporting(to: error, onFailure: nil) { () throws(ArgyleError) in
    let queue = try Arguments.queue(queue)
    let call = try queue.use { (queue) throws(ArgyleError) in queue.next() }
    // The submitted handle, which the caller owns again.
    guard let handle = call?.context.map({ OpaquePointer($0) }) else { return nil }
    tag?.pointee = Handle.object(handle, as: CallObject.self).tag
    return handle
  }
}

/// Returns the number of calls in a queue.
@_cdecl("argyle_queue_count") @implementation
public func argyle_queue_count(_ queue: OpaquePointer?) -> Int {
  let count = try? Arguments.queue(queue).use { (queue) throws(ArgyleError) in queue.count }
  return count ?? 0
}

/// Cancels a call in a queue.
@_cdecl("argyle_queue_cancel") @implementation
public func argyle_queue_cancel(
  _ queue: OpaquePointer?,
  _ call: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    let object = try Arguments.queue(queue)
    let call = try Arguments.call(call).call
    try object.use { (queue) throws(ArgyleError) in
      try object.checkHolds(call)
      queue.cancel(call)
    }
    return 0
  }
}

/// Cancels all calls in a queue.
@_cdecl("argyle_queue_cancel_all") @implementation
public func argyle_queue_cancel_all(
  _ queue: OpaquePointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    try Arguments.queue(queue).use { (queue) throws(ArgyleError) in queue.cancelAll() }
    return 0
  }
}

/// Frees a queue with all calls in it.
@_cdecl("argyle_queue_free") @implementation
public func argyle_queue_free(_ queue: OpaquePointer?) {
  Handle.free(queue, as: QueueObject.self)
}
