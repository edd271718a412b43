import CMicrohttpd
import CPlatform

/// The libmicrohttpd daemon: one thread that waits, reads, answers, and is the only one at the state.
final class HTTPServer {
  private static var connectionLimit: UInt32 { 1000 }
  private static var idleSeconds: UInt32 { 60 }
  /// A connection's memory, which bounds the size of a request's headers.
  private static var connectionMemory: Int { 64 << 10 }
  private static var stopMilliseconds: Int { 5000 }

  private let descriptor: Int32
  private let service: HTTPService
  private var daemon: OpaquePointer?

  init(
    socket: consuming ListeningSocket,
    handler: @escaping HTTPService.Handler
  ) throws(SandboxError) {
    service = HTTPService(port: socket.port, handler: handler)
    // The daemon closes the socket if it fails to start, and only then.
    descriptor = socket.release()
    daemon = argyle_mhd_start(
      descriptor,
      Self.connectionLimit,
      Self.idleSeconds,
      Self.connectionMemory,
      connectionChanged,
      requestLineCame,
      requestCame,
      requestCompleted,
      Unmanaged.passUnretained(service).toOpaque()
    )
    if daemon == nil { throw .resources("the HTTP server's thread cannot be started") }
  }

  deinit { stop() }

  /// Takes no more connections, waits for the requests in flight, and ends the thread.
  func stop() {
    guard let daemon else { return }
    self.daemon = nil
    MHD_quiesce_daemon(daemon)
    // Those who connect from now on are turned away; otherwise they would wait for nothing.
    shutdown(descriptor, Int32(SHUT_RDWR))
    service.gate.close(withinMilliseconds: Self.stopMilliseconds)
    MHD_stop_daemon(daemon)
    close(descriptor)
  }
}

private func connectionChanged(
  context: UnsafeMutableRawPointer?,
  connection: OpaquePointer?,
  kept: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  change: MHD_ConnectionNotificationCode
) {
  guard let kept else { return }
  if let ended = kept.pointee { Unmanaged<HTTPConnection>.fromOpaque(ended).release() }
  kept.pointee =
    change == .CONNECTION_NOTIFY_STARTED ? Unmanaged.passRetained(HTTPConnection()).toOpaque() : nil
}

private func requestLineCame(
  context: UnsafeMutableRawPointer?,
  target: UnsafePointer<CChar>?,
  connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
  if let target, let kept = argyle_mhd_connection_context(connection) {
    Unmanaged<HTTPConnection>.fromOpaque(kept).takeUnretainedValue().target = bytes(of: target)
  }
  return nil
}

/// Called when the headers have come, for each part of the body, and at its end.
private func requestCame(
  context: UnsafeMutableRawPointer?,
  connection: OpaquePointer?,
  url: UnsafePointer<CChar>?,
  method: UnsafePointer<CChar>?,
  version: UnsafePointer<CChar>?,
  part: UnsafePointer<CChar>?,
  partCount: UnsafeMutablePointer<Int>?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  guard let context, let name = method, let partCount, let exchange,
    let kept = argyle_mhd_connection_context(connection)
  else { return .NO }
  let service = Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue()
  let target = Unmanaged<HTTPConnection>.fromOpaque(kept).takeUnretainedValue().target
  let method = String(cString: name)

  guard let begun = exchange.pointee else {
    guard let begun = service.begin(on: connection, target: target, method: method) else {
      return .NO
    }
    exchange.pointee = Unmanaged.passRetained(begun).toOpaque()
    return .YES
  }
  let current = Unmanaged<HTTPExchange>.fromOpaque(begun).takeUnretainedValue()
  if partCount.pointee > 0 {
    current.receive(UnsafeRawBufferPointer(start: part, count: partCount.pointee))
    partCount.pointee = 0
    return current.isHopeless ? .NO : .YES
  }
  return service.finish(current, on: connection, target: target, method: method) ? .YES : .NO
}

private func requestCompleted(
  context: UnsafeMutableRawPointer?,
  connection: OpaquePointer?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  reason: MHD_RequestTerminationCode
) {
  guard let context, let exchange, let ended = exchange.pointee else { return }
  exchange.pointee = nil
  Unmanaged<HTTPExchange>.fromOpaque(ended).release()
  Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue().gate.leave()
}
