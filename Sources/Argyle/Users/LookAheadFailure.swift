/// Why a look-ahead failed.
///
/// It reads no clock, so that blocking and asynchronous cursors share the same rule.
struct LookAheadFailure: Error {
  let error: ArgyleError
  /// When the call finished, in microseconds.
  let time: Int64
  /// Whether the caller cancelled the call.
  let wasCancelledByCaller: Bool
}
