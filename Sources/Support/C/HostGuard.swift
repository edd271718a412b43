import CPlatform

/// Runs the body of an exported function and preserves the host thread's state.
///
/// `errno` keeps its value, whatever system calls the body makes. Thread cancellation is deferred to the next
/// cancellation point after the function: libcurl's are all inside, where nothing could be released.
package func guardingHost<Result>(_ body: () -> Result) -> Result {
  let number = __errno_location().pointee
  var state: Int32 = 0
  pthread_setcancelstate(Int32(PTHREAD_CANCEL_DISABLE), &state)
  defer {
    pthread_setcancelstate(state, nil)
    __errno_location().pointee = number
  }
  return body()
}
