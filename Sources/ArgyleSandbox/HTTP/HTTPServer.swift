import CMicrohttpd
import CPlatform

/// The libmicrohttpd daemon: a thread that waits, reads, answers, and is the only one at the state.
///
/// A second thread keeps watch over the connections.
final class HTTPServer {
  private static var mostConnections: Int { 1000 }
  /// The descriptors that are left to all others in the process.
  private static var otherDescriptors: Int { 64 }
  /// A connection's memory, which bounds the size of a request's headers.
  private static var connectionMemory: Int { 64 << 10 }
  private static var stopMilliseconds: Int { 5000 }

  private let descriptor: Int32
  private let service: HTTPService
  private let interrupt: () -> Void
  private var daemon: OpaquePointer?

  init(
    socket: consuming ListeningSocket,
    settings: HTTPSettings,
    handler: @escaping HTTPService.Handler,
    interrupt: @escaping () -> Void
  ) throws(SandboxError) {
    self.interrupt = interrupt
    let limit = Self.connectionLimit(descriptors: argyle_descriptor_limit())
    service = HTTPService(
      port: socket.port,
      settings: settings,
      // From here on, others make room for new ones, which takes a connection more.
      capacity: max(1, limit - max(1, limit / 10)),
      handler: handler
    )
    // The daemon closes the socket if it fails to start, and only then.
    descriptor = socket.release()
    guard service.watch.begin() else {
      close(descriptor)
      throw .resources("cannot start the HTTP server's threads")
    }
    daemon = argyle_mhd_start(
      descriptor,
      UInt32(limit),
      Self.connectionMemory,
      settings.identity?.certificate,
      settings.identity?.key,
      connectionChanged,
      requestLineCame,
      requestCame,
      requestCompleted,
      Unmanaged.passUnretained(service).toOpaque()
    )
    if daemon == nil {
      service.watch.end()
      throw .resources("cannot start the HTTP server's threads")
    }
  }

  deinit { stop() }

  /// Takes no more connections, waits for the requests in flight, and ends the threads.
  func stop() {
    guard let daemon else { return }
    self.daemon = nil
    let deadline = Moment.now().adding(milliseconds: Self.stopMilliseconds)
    MHD_quiesce_daemon(daemon)
    // Those who connect from now on are turned away; otherwise they would wait for nothing.
    shutdown(descriptor, Int32(SHUT_RDWR))
    service.watch.endAllDelays()
    if !service.gate.close(by: deadline) { interrupt() }
    service.watch.end()
    MHD_stop_daemon(daemon)
    close(descriptor)
  }

  /// How many connections there can be, where so many descriptors are allowed.
  private static func connectionLimit(descriptors: Int) -> Int {
    min(mostConnections, max(descriptors - otherDescriptors, descriptors / 2))
  }
}

private func connectionChanged(
  context: UnsafeMutableRawPointer?,
  handle: OpaquePointer?,
  kept: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  change: MHD_ConnectionNotificationCode
) {
  guard let context, let kept else { return }
  let watch = Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue().watch
  if change == .CONNECTION_NOTIFY_STARTED {
    let connection = watch.add(handle, argyle_mhd_connection_descriptor(handle))
    kept.pointee = Unmanaged.passRetained(connection).toOpaque()
  } else if let ended = kept.pointee {
    kept.pointee = nil
    watch.remove(Unmanaged<HTTPConnection>.fromOpaque(ended).takeRetainedValue())
  }
}

private func requestLineCame(
  context: UnsafeMutableRawPointer?,
  target: UnsafePointer<CChar>?,
  handle: OpaquePointer?
) -> UnsafeMutableRawPointer? {
  guard let context, let target, let connection = keptConnection(handle) else { return nil }
  connection.target = bytes(of: target)
  Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue().watch.enter(.busy, connection)
  return nil
}

/// Called when the headers have come, for each part of the body, at its end, and before and after a delay.
private func requestCame(
  context: UnsafeMutableRawPointer?,
  handle: OpaquePointer?,
  url: UnsafePointer<CChar>?,
  method: UnsafePointer<CChar>?,
  version: UnsafePointer<CChar>?,
  part: UnsafePointer<CChar>?,
  partCount: UnsafeMutablePointer<Int>?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  guard let context, let method, let partCount, let exchange,
    let connection = keptConnection(handle)
  else { return .NO }
  let service = Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue()

  guard let begun = exchange.pointee else {
    guard let begun = service.begin(String(cString: method), on: connection) else { return .NO }
    exchange.pointee = Unmanaged.passRetained(begun).toOpaque()
    return begun.outcome != nil && begun.sentStatus == nil ? .NO : .YES
  }
  let current = Unmanaged<HTTPExchange>.fromOpaque(begun).takeUnretainedValue()
  if partCount.pointee > 0 {
    current.receive(UnsafeRawBufferPointer(start: part, count: partCount.pointee))
    partCount.pointee = 0
    return current.isHopeless ? .NO : .YES
  }
  return service.finish(current, on: connection) ? .YES : .NO
}

private func requestCompleted(
  context: UnsafeMutableRawPointer?,
  handle: OpaquePointer?,
  exchange: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  reason: MHD_RequestTerminationCode
) {
  guard let context, let exchange, let ended = exchange.pointee else { return }
  exchange.pointee = nil
  Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue()
    .complete(
      Unmanaged<HTTPExchange>.fromOpaque(ended).takeRetainedValue(),
      on: keptConnection(handle)
    )
}

private func keptConnection(_ handle: OpaquePointer?) -> HTTPConnection? {
  argyle_mhd_connection_context(handle).map {
    Unmanaged<HTTPConnection>.fromOpaque($0).takeUnretainedValue()
  }
}
