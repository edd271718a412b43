/// What a connection is in the middle of.
enum ConnectionPhase {
  /// No request has begun.
  case idle
  /// A request is received, or its answer is sent.
  case busy
  /// It is suspended, and its answer waits for the end of a delay.
  case delayed
  /// Its time is over, and it is about to go.
  case ended
}
