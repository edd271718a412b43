import CPlatform

/// Runs a body that leaves `errno` as it was, whatever the system calls in it do.
package func keepingErrorNumber<Result>(_ body: () -> Result) -> Result {
  let number = __errno_location().pointee
  defer { __errno_location().pointee = number }
  return body()
}
