/// What a blocking call asks when a signal has interrupted its wait: whether to go on.
package struct Interruption: @unchecked Sendable {
  // Unchecked: the caller promises that the function may be called with the context from any thread.
  private let function: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  private let context: UnsafeMutableRawPointer?

  /// Makes one of a function of C's, which answers other than 0 to end the call.
  package init(
    _ function: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Int32,
    _ context: UnsafeMutableRawPointer?
  ) {
    self.function = function
    self.context = context
  }

  /// Asks whether the call is to end.
  func endsCall() -> Bool { function(context) != 0 }
}
