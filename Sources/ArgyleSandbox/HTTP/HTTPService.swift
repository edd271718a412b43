import CMicrohttpd

/// What libmicrohttpd's callbacks work on, on its thread.
final class HTTPService {
  typealias Handler = (HTTPRequest) -> HTTPResponse

  let gate = RequestGate()
  private let ownHost: String
  private let handler: Handler

  init(port: UInt16, handler: @escaping Handler) {
    ownHost = "127.0.0.1:\(port)"
    self.handler = handler
  }

  /// The headers have come; gives nil to close the connection.
  func begin(on connection: OpaquePointer?, target: Bytes, method: String) -> HTTPExchange? {
    guard gate.enter() else { return nil }
    let exchange = HTTPExchange()
    // An answer at this point ends the connection, so it is given only where reading on is hopeless.
    let announced = header("Content-Length", of: connection) ?? []
    exchange.announce(decimalNumber(announced, limit: .max / 16) ?? 0)
    if exchange.isHopeless {
      _ = finish(exchange, on: connection, target: target, method: method)
    }
    return exchange
  }

  /// The body has come to its end; gives false to close the connection.
  func finish(
    _ exchange: HTTPExchange,
    on connection: OpaquePointer?,
    target: Bytes,
    method: String
  ) -> Bool {
    let request = HTTPRequest(
      method: HTTPMethod(method),
      target: RequestTarget(target),
      origin: "http://" + host(of: connection),
      authorization: header("Authorization", of: connection),
      contentType: header("Content-Type", of: connection),
      body: exchange.body,
      bodyIsTooLarge: exchange.bodyIsTooLarge
    )
    return send(handler(request), on: connection)
  }

  private func send(_ answer: HTTPResponse, on connection: OpaquePointer?) -> Bool {
    let response = answer.body.withUnsafeBytes { body in
      MHD_create_response_from_buffer(
        body.count,
        UnsafeMutableRawPointer(mutating: body.baseAddress),
        .RESPMEM_MUST_COPY
      )
    }
    guard let response else { return false }
    defer { MHD_destroy_response(response) }
    for header in answer.headers { MHD_add_response_header(response, header.name, header.value) }
    if gate.isClosing { MHD_add_response_header(response, "Connection", "close") }
    return MHD_queue_response(connection, answer.status, response) == .YES
  }

  private func header(_ name: String, of connection: OpaquePointer?) -> Bytes? {
    guard let value = MHD_lookup_connection_value(connection, .HEADER_KIND, name) else {
      return nil
    }
    return bytes(of: value)
  }

  /// The host by which the client calls the server, as long as it can stand in a URL.
  private func host(of connection: OpaquePointer?) -> String {
    guard let host = header("Host", of: connection), !host.isEmpty,
      host.allSatisfy({
        $0.isASCIILetter || $0.isASCIIDigit || "-._~:[]".utf8.contains($0)
      })
    else { return ownHost }
    return String(decoding: host, as: UTF8.self)
  }
}

/// The bytes of a C string.
func bytes(of text: UnsafePointer<CChar>) -> Bytes {
  var bytes = Bytes()
  var next = text
  while next.pointee != 0 {
    bytes.append(UInt8(bitPattern: next.pointee))
    next += 1
  }
  return bytes
}
