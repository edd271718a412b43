/// What was noted where connections were opened for an attempt, and where they were closed.
///
/// An object of its own, for a connection may outlast the attempt.
final class ConnectionDiagnostics {
  /// Whether the process could open no descriptor when the attempt needed one.
  var ranOutOfDescriptors = false
  /// Whether the process could open none when a connection was about to be closed.
  var ranOutOnClose = false
  /// The option of a file that is not a regular one any more, for which no connection was begun; nil: none is.
  var irregularOption: String?
}
