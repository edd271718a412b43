/// What can stop a blocking call before its response arrives.
struct StopSources: Sendable {
  /// Called when a signal interrupts the wait.
  var interruption: Interruption?
  /// Cancelled by another thread.
  var cancellation: Cancellation?
}
