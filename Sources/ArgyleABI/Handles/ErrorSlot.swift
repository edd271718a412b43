import Argyle
import CJansson
import Support

/// The last parameter of most functions: where the caller wants the error, or NULL.
typealias ErrorSlot = UnsafeMutablePointer<OpaquePointer?>?

/// Runs the body of an exported function.
///
/// The slot is set to NULL on success, and to a new error where the function's result is that of a failure. The
/// host's `errno` stays as it was. Nothing is run where a stranger's function would be called for jansson's.
func reporting<Result>(
  to slot: ErrorSlot,
  onFailure failure: Result,
  _ body: () throws(ArgyleError) -> Result
) -> Result {
  guardingHost {
    do throws(ArgyleError) {
      try checkJansson()
      let result = try body()
      slot?.pointee = nil
      return result
    } catch {
      slot?.pointee = Handle.make(ErrorObject(error))
      return failure
    }
  }
}

/// Runs the body of an exported function whose result is an error.
func makingError(_ body: () throws(ArgyleError) -> ArgyleError) -> OpaquePointer? {
  var slot: OpaquePointer?
  reporting(to: &slot, onFailure: ()) { () throws(ArgyleError) in throw try body() }
  return slot
}

private func checkJansson() throws(ArgyleError) {
  guard let name = argyle_jansson_stranger() else { return }
  throw ArgyleError(
    .internal,
    "\(String(cString: name)) in this process is not jansson's, which cannot be found"
  )
}
