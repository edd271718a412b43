/// What opening and closing an attempt's connections revealed.
///
/// A class, because a connection may outlive the attempt.
final class ConnectionDiagnostics {
  /// Whether opening a connection failed because file descriptors ran out.
  var ranOutOfDescriptors = false
  /// Whether file descriptors had run out when a connection was about to be closed.
  var ranOutOnClose = false
  /// The option whose file is no longer a regular one, so that no connection was opened; nil if all are.
  var irregularOption: String?
}
