import CPlatform

/// Runs the body of an exported function, which leaves what is the host's thread's as it was.
///
/// `errno` keeps its value, whatever the system calls in it do. A thread that is cancelled meanwhile ends at its next
/// cancellation point after the function: all of libcurl's would be within, where nothing could be released.
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
