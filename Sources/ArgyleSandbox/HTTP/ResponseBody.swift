import CMicrohttpd

/// A response body that libmicrohttpd reads in chunks, because it would copy a whole body.
final class ResponseBody {
  private static var chunkSize: Int { 64 << 10 }

  private let bytes: Bytes
  /// Where reading ends, which is before the end of a cut body.
  private let end: Int

  private init(_ bytes: Bytes, end: Int) {
    self.bytes = bytes
    self.end = end
  }

  /// Creates a response that announces all bytes but, if it is cut, sends only the first half.
  static func response(_ bytes: Bytes, isCut: Bool) -> OpaquePointer? {
    let body = ResponseBody(bytes, end: isCut ? bytes.count / 2 : bytes.count)
    let context = Unmanaged.passRetained(body).toOpaque()
    let response = MHD_create_response_from_callback(
      UInt64(bytes.count),
      max(1, min(bytes.count, chunkSize)),
      readResponseBody,
      context,
      freeResponseBody
    )
    if response == nil { freeResponseBody(context) }
    return response
  }

  /// Copies the next chunk; returns -2, which libmicrohttpd treats as an error, after the end.
  fileprivate func read(_ position: Int, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard position >= 0, position < end else { return -2 }
    let chunk = bytes[position..<min(end, position + buffer.count)]
    buffer.copyBytes(from: chunk)
    return chunk.count
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
