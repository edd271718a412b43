import CMicrohttpd
import CPlatform

/// The libmicrohttpd daemon: one thread that handles all connections and alone accesses the state.
///
/// A second thread enforces timeouts.
final class HTTPServer {
  private static var maximumConnections: Int { 1000 }
  /// Descriptors left for the rest of the process.
  private static var reservedDescriptors: Int { 64 }
  /// Memory of each connection, which bounds the size of a request's headers.
  private static var connectionMemory: Int { 64 << 10 }
  private static var stopTimeoutMilliseconds: Int { 5000 }

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
      // Beyond it, each new connection evicts another. Until that one is closed, both count.
      capacity: max(1, limit - max(1, limit / 10)),
      handler: handler
    )
    // The daemon closes the socket if it fails to start, and only then.
    descriptor = socket.release()
    guard service.watch.start() else {
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
      requestLineReceived,
      handleRequest,
      requestCompleted,
      Unmanaged.passUnretained(service).toOpaque()
    )
    if daemon == nil {
      service.watch.stop()
      throw .resources("cannot start the HTTP server's threads")
    }
  }

  deinit { stop() }

  /// Stops accepting connections, waits for requests in flight and stops the threads.
  func stop() {
    guard let daemon else { return }
    self.daemon = nil
    let deadline = Moment.now().adding(milliseconds: Self.stopTimeoutMilliseconds)
    MHD_quiesce_daemon(daemon)
    // Refuses new connections, which would otherwise wait for a response in vain.
    shutdown(descriptor, Int32(SHUT_RDWR))
    service.watch.disableDelays()
    if !service.gate.close(by: deadline) { interrupt() }
    service.watch.stop()
    MHD_stop_daemon(daemon)
    close(descriptor)
  }

  /// Returns the maximum number of connections for a descriptor limit.
  private static func connectionLimit(descriptors: Int) -> Int {
    min(maximumConnections, max(descriptors - reservedDescriptors, descriptors / 2))
  }
}

private func connectionChanged(
  context: UnsafeMutableRawPointer?,
  handle: OpaquePointer?,
  slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  change: MHD_ConnectionNotificationCode
) {
  guard let context, let slot else { return }
  let watch = Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue().watch
  if change == .CONNECTION_NOTIFY_STARTED {
    let connection = watch.add(handle, argyle_mhd_connection_descriptor(handle))
    slot.pointee = Unmanaged.passRetained(connection).toOpaque()
  } else if let closed = slot.pointee {
    slot.pointee = nil
    watch.remove(Unmanaged<HTTPConnection>.fromOpaque(closed).takeRetainedValue())
  }
}

private func requestLineReceived(
  context: UnsafeMutableRawPointer?,
  target: UnsafePointer<CChar>?,
  handle: OpaquePointer?
) -> UnsafeMutableRawPointer? {
  guard let context, let target, let connection = httpConnection(handle) else { return nil }
  connection.target = bytes(of: target)
  Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue().watch.enter(.busy, connection)
  return nil
}

/// Called after the headers, for each part of the body, after the body, and before and after a delay.
private func handleRequest(
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
    let connection = httpConnection(handle)
  else { return .NO }
  let service = Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue()

  guard let started = exchange.pointee else {
    guard let started = service.begin(String(cString: method), on: connection) else { return .NO }
    exchange.pointee = Unmanaged.passRetained(started).toOpaque()
    return started.outcome != nil && started.sentStatus == nil ? .NO : .YES
  }
  let current = Unmanaged<HTTPExchange>.fromOpaque(started).takeUnretainedValue()
  if partCount.pointee > 0 {
    current.receive(UnsafeRawBufferPointer(start: part, count: partCount.pointee))
    partCount.pointee = 0
    return current.exceedsDiscardLimit ? .NO : .YES
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
      on: httpConnection(handle)
    )
}

private func httpConnection(_ handle: OpaquePointer?) -> HTTPConnection? {
  argyle_mhd_connection_context(handle).map {
    Unmanaged<HTTPConnection>.fromOpaque($0).takeUnretainedValue()
  }
}
