/// What is kept with a connection.
final class HTTPConnection {
  /// The target of the request line that came last, before anything in it is decoded.
  ///
  /// It cannot be kept with the request: libmicrohttpd drops some requests without a word after it has
  /// shown their line.
  var target = Bytes()
}
