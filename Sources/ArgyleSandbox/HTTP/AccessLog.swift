import CPlatform

/// Writes one line of JSON for each request, with its path but without query, headers and bodies.
///
/// It never blocks: lines that cannot be written immediately are dropped.
final class AccessLog {
  private let descriptor: Int32
  /// The unwritten rest of a line, to be written before the next line.
  private var unwritten: ArraySlice<UInt8> = []

  static func open(_ path: String) throws(SandboxError) -> AccessLog {
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK
    let descriptor = argyle_open(path, flags, 0o666)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(__errno_location().pointee))
      throw .file("log '\(path)': \(reason)")
    }
    return AccessLog(descriptor)
  }

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  func write(_ exchange: HTTPExchange) {
    flush()
    guard unwritten.isEmpty else { return }
    unwritten = line(exchange)[...]
    let count = unwritten.count
    flush()
    // Nothing was written, so the whole line can be dropped.
    if unwritten.count == count { unwritten = [] }
  }

  /// Writes as much as possible without blocking; errors are ignored, so that they do not stop the server.
  private func flush() {
    if unwritten.isEmpty { return }
    let count = unwritten.withUnsafeBytes { CPlatform.write(descriptor, $0.baseAddress, $0.count) }
    if count > 0 {
      unwritten = unwritten.dropFirst(count)
    } else if __errno_location().pointee == EPIPE {
      // The pipe's next reader has not seen the beginning of the line.
      unwritten = []
    }
  }

  private func line(_ exchange: HTTPExchange) -> Bytes {
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
    return json.text
  }
}
