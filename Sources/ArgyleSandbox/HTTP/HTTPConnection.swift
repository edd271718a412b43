/// What is kept with a connection.
final class HTTPConnection {
  /// libmicrohttpd's connection, and its socket.
  let handle: OpaquePointer?
  let descriptor: Int32

  /// The target of the request line that came last, before anything in it is decoded.
  ///
  /// It cannot be kept with the request: libmicrohttpd drops some requests without a word after it has
  /// shown their line.
  var target = Bytes()

  /// What it is in the middle of, which the watch alone reads and writes.
  var phase = ConnectionPhase.idle

  /// Until when, which the watch alone reads and writes.
  var deadline: Moment

  /// The end of a delay for which it is still to be suspended, which the watch alone reads and writes.
  var delayEnd: Moment?

  init(handle: OpaquePointer?, descriptor: Int32, deadline: Moment) {
    self.handle = handle
    self.descriptor = descriptor
    self.deadline = deadline
  }
}
