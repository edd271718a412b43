import CPlatform

/// A TCP socket listening on 127.0.0.1.
struct ListeningSocket: ~Copyable {
  private var descriptor: Int32
  let port: UInt16

  /// Listens on a port; 0 means any free port.
  init(port: UInt16) throws(SandboxError) {
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    let descriptor = socket(AF_INET, Int32(type), 0)
    if descriptor < 0 { throw Self.failure("cannot create a socket") }
    do {
      self.port = try Self.listen(descriptor, port)
    } catch {
      CPlatform.close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { if descriptor >= 0 { CPlatform.close(descriptor) } }

  /// Returns the descriptor, which the caller must close.
  consuming func release() -> Int32 {
    // Embedded Swift rejects `discard self`.
    defer { descriptor = -1 }
    return descriptor
  }

  /// Binds and listens; returns the port.
  private static func listen(_ descriptor: Int32, _ port: UInt16) throws(SandboxError) -> UInt16 {
    // Otherwise bind() would fail on the port of a server that was just stopped.
    var yes: Int32 = 1
    setsockopt(
      descriptor,
      SOL_SOCKET,
      SO_REUSEADDR,
      &yes,
      socklen_t(MemoryLayout<Int32>.size)
    )

    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafeMutableBytes(of: &address) { bytes in
      let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
      if bind(descriptor, address, length) != 0 { return false }
      if CPlatform.listen(descriptor, SOMAXCONN) != 0 { return false }
      return getsockname(descriptor, address, &length) == 0
    }
    guard result else { throw failure("cannot listen on 127.0.0.1:\(port)") }
    return UInt16(bigEndian: address.sin_port)
  }

  private static func failure(_ reason: String) -> SandboxError {
    let number = __errno_location().pointee
    if number == EADDRINUSE { return .listening("\(reason): the port is in use") }
    return .listening("\(reason): \(String(cString: strerror(number)))")
  }
}
