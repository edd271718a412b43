/// What may end a blocking call before its answer has come.
struct StopSources: Sendable {
  /// What is asked when a signal has interrupted the wait.
  var interruption: Interruption?
  /// What another thread ends it with.
  var cancellation: Cancellation?
}
