/// The host's interrupt function, called when a signal interrupts a blocking call.
package struct Interruption: @unchecked Sendable {
  // Unchecked: the caller guarantees that the function and context may be used from any thread.
  private let function: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  private let context: UnsafeMutableRawPointer?

  /// Wraps a C function that returns nonzero to end the call.
  package init(
    _ function: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Int32,
    _ context: UnsafeMutableRawPointer?
  ) {
    self.function = function
    self.context = context
  }

  /// Calls the function; returns whether to end the call.
  func shouldStop() -> Bool { function(context) != 0 }
}
