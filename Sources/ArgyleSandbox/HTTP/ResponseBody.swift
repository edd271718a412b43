import CMicrohttpd

/// The body of an answer, of which libmicrohttpd takes part after part: it would copy the whole.
final class ResponseBody {
  private static var partSize: Int { 64 << 10 }

  private let bytes: Bytes
  /// Where it breaks off.
  private let end: Int

  private init(_ bytes: Bytes, end: Int) {
    self.bytes = bytes
    self.end = end
  }

  /// Makes a response that announces all of the bytes; one that is cut gives the first half of them.
  static func response(_ bytes: Bytes, isCut: Bool) -> OpaquePointer? {
    let body = ResponseBody(bytes, end: isCut ? bytes.count / 2 : bytes.count)
    let context = Unmanaged.passRetained(body).toOpaque()
    let response = MHD_create_response_from_callback(
      UInt64(bytes.count),
      max(1, min(bytes.count, partSize)),
      readResponseBody,
      context,
      freeResponseBody
    )
    if response == nil { freeResponseBody(context) }
    return response
  }

  /// Gives what comes next; -2, which is an error to libmicrohttpd, where no more comes.
  fileprivate func read(_ position: Int, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard position >= 0, position < end else { return -2 }
    let part = bytes[position..<min(end, position + buffer.count)]
    buffer.copyBytes(from: part)
    return part.count
  }
}

private func readResponseBody(
  body: UnsafeMutableRawPointer?,
  position: UInt64,
  buffer: UnsafeMutablePointer<CChar>?,
  count: Int
) -> Int {
  guard let body else { return -2 }
  return Unmanaged<ResponseBody>.fromOpaque(body).takeUnretainedValue()
    .read(Int(clamping: position), UnsafeMutableRawBufferPointer(start: buffer, count: count))
}

private func freeResponseBody(_ body: UnsafeMutableRawPointer?) {
  if let body { Unmanaged<ResponseBody>.fromOpaque(body).release() }
}
