/// Why a page that was asked for ahead did not come.
///
/// It knows no clock, so that a blocking walk and an asynchronous one go by the same rule.
struct LookAheadFailure: Error {
  let error: ArgyleError
  /// When the call was over, in microseconds.
  let time: Int64
  /// Whether it was the caller who has ended the call.
  let wasCancelledByCaller: Bool
}
