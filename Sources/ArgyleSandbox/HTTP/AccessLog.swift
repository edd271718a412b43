import CPlatform

/// Writes one line of JSON for each request: no headers, no bodies, and of the target only the path.
final class AccessLog {
  private let file: UnsafeMutablePointer<FILE>

  static func open(_ path: String) throws(SandboxError) -> AccessLog {
    guard let file = fopen(path, "ae") else {
      let reason = String(cString: strerror(__errno_location().pointee))
      throw .file("log '\(path)': \(reason)")
    }
    return AccessLog(file)
  }

  private init(_ file: UnsafeMutablePointer<FILE>) {
    self.file = file
  }

  deinit { fclose(file) }

  func write(_ exchange: HTTPExchange) {
    var json = JSONWriter()
    json.raw("{\"time\":")
    json.string(exchange.startTime.text)
    json.raw(",\"method\":")
    json.string(exchange.method)
    json.raw(",\"path\":")
    json.string(String(decoding: exchange.target.path, as: UTF8.self))
    json.raw(",\"status\":")
    json.raw(exchange.sentStatus.map { "\($0)" } ?? "null")
    json.raw(",\"duration_us\":\(Moment.now().since(exchange.start)),\"trace_id\":")
    if let traceID = exchange.sentTraceID { json.string(traceID) } else { json.raw("null") }
    json.raw("}\n")
    // In one piece, so that lines stay whole. A log that cannot be written to does not stop the server.
    _ = json.text.withUnsafeBytes { CPlatform.write(fileno(file), $0.baseAddress, $0.count) }
  }
}
