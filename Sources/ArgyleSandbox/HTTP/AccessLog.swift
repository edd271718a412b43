import CPlatform

/// Writes one line of JSON for each request: no headers, no bodies, and of the target only the path.
///
/// It never waits: lines that cannot be written at once are left out.
final class AccessLog {
  private let descriptor: Int32
  /// What is still to be written of a line, before any other.
  private var rest: ArraySlice<UInt8> = []

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
    writeRest()
    guard rest.isEmpty else { return }
    rest = line(exchange)[...]
    let count = rest.count
    writeRest()
    // None of it was written, so that nobody misses the rest.
    if rest.count == count { rest = [] }
  }

  /// Writes what goes without waiting: a log that cannot be written to does not stop the server.
  private func writeRest() {
    if rest.isEmpty { return }
    let count = rest.withUnsafeBytes { CPlatform.write(descriptor, $0.baseAddress, $0.count) }
    if count > 0 {
      rest = rest.dropFirst(count)
    } else if __errno_location().pointee == EPIPE {
      // Whoever reads a pipe next has not seen the line's beginning.
      rest = []
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
