import CMicrohttpd
import Support

/// The work of libmicrohttpd's callbacks, on its thread.
final class HTTPService {
  typealias Handler = (HTTPRequest) -> HTTPOutcome

  let gate = RequestGate()
  let watch: ConnectionWatch
  private let scheme: String
  private let ownHost: String
  private let log: AccessLog?
  private let handler: Handler

  init(port: UInt16, settings: HTTPSettings, capacity: Int, handler: @escaping Handler) {
    watch = ConnectionWatch(timeoutSeconds: settings.timeoutSeconds, capacity: capacity)
    scheme = settings.scheme
    ownHost = "127.0.0.1:\(port)"
    log = settings.log
    self.handler = handler
  }

  /// Starts a request after its headers have arrived; returns nil to close the connection.
  func begin(_ method: String, on connection: HTTPConnection) -> HTTPExchange? {
    guard gate.enter() else { return nil }
    let exchange = HTTPExchange(method: method, target: RequestTarget(connection.target))
    // A response at this point ends the connection, so it is sent only if the body is too large to read.
    let length = header("Content-Length", of: connection) ?? []
    exchange.recordContentLength(decimalNumber(length, limit: .max / 16) ?? 0)
    if exchange.exceedsDiscardLimit {
      exchange.outcome = carryOut(exchange, on: connection)
      _ = send(exchange, on: connection)
    }
    return exchange
  }

  /// Continues a request after its body and around its delay; returns false to close the connection.
  func finish(_ exchange: HTTPExchange, on connection: HTTPConnection) -> Bool {
    if exchange.outcome == nil {
      guard gate.isOpen else { return false }
      let outcome = watch.excludingFromTimeouts { carryOut(exchange, on: connection) }
      exchange.outcome = outcome
      if outcome.endsDelays { watch.endDelays() }
      if outcome.delayMilliseconds > 0 {
        watch.delay(connection, milliseconds: outcome.delayMilliseconds)
        // libmicrohttpd now calls back at once, and reads nothing more before the response. If the connection were
        // suspended here, it would keep reading, and close the connection if the client has finished sending.
        return true
      }
    } else if watch.suspend(connection) {
      return true
    }
    return send(exchange, on: connection)
  }

  /// Ends a request after its response was sent or given up.
  func complete(_ exchange: HTTPExchange, on connection: HTTPConnection?) {
    if let connection { watch.enter(.idle, connection) }
    log?.write(exchange)
    gate.leave()
  }

  private func carryOut(_ exchange: HTTPExchange, on connection: HTTPConnection) -> HTTPOutcome {
    let requestedMethod = header("Access-Control-Request-Method", of: connection)
    return handler(
      HTTPRequest(
        method: HTTPMethod(exchange.method),
        target: exchange.target,
        origin: "\(scheme)://\(host(of: connection))",
        host: header("Host", of: connection),
        pageOrigin: header("Origin", of: connection),
        authorization: header("Authorization", of: connection),
        contentType: header("Content-Type", of: connection),
        isPreflight: exchange.method.utf8.matches("OPTIONS") && requestedMethod != nil,
        body: exchange.body,
        bodyIsTooLarge: exchange.bodyIsTooLarge
      )
    )
  }

  private func send(_ exchange: HTTPExchange, on connection: HTTPConnection) -> Bool {
    guard let outcome = exchange.outcome, let content = outcome.response else { return false }
    watch.enter(.busy, connection)
    guard let response = ResponseBody.response(content.body, isCut: outcome.isCut) else {
      return false
    }
    defer { MHD_destroy_response(response) }
    for header in content.headers { MHD_add_response_header(response, header.name, header.value) }
    if gate.isClosing { MHD_add_response_header(response, "Connection", "close") }
    if MHD_queue_response(connection.handle, content.status, response) == .NO { return false }
    exchange.sentStatus = content.status
    exchange.sentTraceID = content.header("X-Trace-Id")
    return true
  }

  private func header(_ name: String, of connection: HTTPConnection) -> Bytes? {
    guard let value = MHD_lookup_connection_value(connection.handle, .HEADER_KIND, name) else {
      return nil
    }
    return bytes(of: value)
  }

  /// The request's `Host` if it is valid in a URL, or else the server's own.
  private func host(of connection: HTTPConnection) -> String {
    guard let host = header("Host", of: connection), !host.isEmpty,
      host.allSatisfy({
        $0.isASCIILetter || $0.isASCIIDigit || "-._~:[]".utf8.contains($0)
      })
    else { return ownHost }
    return String(decoding: host, as: UTF8.self)
  }
}

/// Returns the bytes of a C string, without the NUL.
func bytes(of text: UnsafePointer<CChar>) -> Bytes {
  var bytes = Bytes()
  var next = text
  while next.pointee != 0 {
    bytes.append(UInt8(bitPattern: next.pointee))
    next += 1
  }
  return bytes
}
