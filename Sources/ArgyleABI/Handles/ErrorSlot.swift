import Argyle
import CJansson
import Support

/// The last parameter of most functions: where to store the error, or NULL.
typealias ErrorSlot = UnsafeMutablePointer<OpaquePointer?>?

/// Runs the body of an exported function.
///
/// The slot is set to NULL on success, and to a new error if the function fails. The host's `errno` is preserved.
/// Nothing runs if another library's functions would be called instead of jansson's.
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

/// Runs the body of an exported function that returns an error.
func makingError(_ body: () throws(ArgyleError) -> ArgyleError) -> OpaquePointer? {
  var slot: OpaquePointer?
  reporting(to: &slot, onFailure: ()) { () throws(ArgyleError) in throw try body() }
  return slot
}

private func checkJansson() throws(ArgyleError) {
  guard let name = argyle_jansson_unresolved() else { return }
  throw ArgyleError(
    .internal,
    "\(String(cString: name)) in this process is not jansson's, and jansson's cannot be found"
  )
}
