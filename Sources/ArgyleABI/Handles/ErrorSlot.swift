import Argyle
import Interop

/// The last parameter of most functions: where the caller wants the error, or NULL.
typealias ErrorSlot = UnsafeMutablePointer<OpaquePointer?>?

/// Runs the body of an exported function.
///
/// The slot is set to NULL on success, and to a new error where the function's result is that of a failure. The
/// host's `errno` stays as it was.
func reporting<Result>(
  to slot: ErrorSlot,
  onFailure failure: Result,
  _ body: () throws(ArgyleError) -> Result
) -> Result {
  guardingHost {
    do throws(ArgyleError) {
      let result = try body()
      slot?.pointee = nil
      return result
    } catch {
      slot?.pointee = Handle.make(ErrorObject(error))
      return failure
    }
  }
}
