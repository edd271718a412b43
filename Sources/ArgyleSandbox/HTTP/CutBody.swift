import CMicrohttpd

/// A body of which a response gives the first half, and then breaks off.
final class CutBody {
  private let bytes: Bytes

  private init(_ bytes: Bytes) {
    self.bytes = bytes
  }

  /// Makes a response that announces all of the bytes.
  static func response(_ bytes: Bytes) -> OpaquePointer? {
    let body = Unmanaged.passRetained(CutBody(bytes)).toOpaque()
    let response = MHD_create_response_from_callback(
      UInt64(bytes.count),
      16 << 10,
      readCutBody,
      body,
      freeCutBody
    )
    if response == nil { freeCutBody(body) }
    return response
  }

  /// Gives what comes next; -2, which is an error to libmicrohttpd, where no more comes.
  fileprivate func read(_ position: Int, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    let half = bytes.count / 2
    guard position >= 0, position < half else { return -2 }
    let part = bytes[position..<min(half, position + buffer.count)]
    buffer.copyBytes(from: part)
    return part.count
  }
}

private func readCutBody(
  body: UnsafeMutableRawPointer?,
  position: UInt64,
  buffer: UnsafeMutablePointer<CChar>?,
  count: Int
) -> Int {
  guard let body else { return -2 }
  return Unmanaged<CutBody>.fromOpaque(body).takeUnretainedValue()
    .read(Int(clamping: position), UnsafeMutableRawBufferPointer(start: buffer, count: count))
}

private func freeCutBody(_ body: UnsafeMutableRawPointer?) {
  if let body { Unmanaged<CutBody>.fromOpaque(body).release() }
}
