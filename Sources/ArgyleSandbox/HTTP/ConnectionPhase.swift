/// What a connection is doing.
enum ConnectionPhase {
  /// No request has started.
  case idle
  /// Receiving a request, or sending its response.
  case busy
  /// Suspended until the end of a delay, before the response.
  case delayed
  /// Timed out or evicted, about to close.
  case ended
}
