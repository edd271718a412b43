/// The state of a connection.
final class HTTPConnection {
  /// libmicrohttpd's connection and its socket.
  let handle: OpaquePointer?
  let descriptor: Int32

  /// The target of the latest request line, not decoded.
  ///
  /// It cannot be part of the request: libmicrohttpd silently drops some requests after reporting their line.
  var target = Bytes()

  // Accessed only by the watch:
  var phase = ConnectionPhase.idle
  /// When the phase ends.
  var deadline: Moment
  /// End of a delay for which the connection is not suspended yet.
  var delayEnd: Moment?

  init(handle: OpaquePointer?, descriptor: Int32, deadline: Moment) {
    self.handle = handle
    self.descriptor = descriptor
    self.deadline = deadline
  }
}
