/// Why a page that was asked for ahead did not come.
///
/// It knows no clock, so that a blocking walk and an asynchronous one go by the same rule.
struct LookAheadFailure: Error {
  let error: ArgyleError
  /// When the call was over, in microseconds.
  let time: Int64
  /// Whether it was the caller who has ended the call.
  let wasEndedByCaller: Bool

  /// Throws the error unless the page may be asked for again at a time in microseconds.
  ///
  /// It may not where the caller has ended the call, or before the time that the service has set.
  func checkAskingAgain(at now: Int64) throws(ArgyleError) {
    if wasEndedByCaller { throw error }
    if let wait = error.retryAfterMilliseconds, (now - time) / 1000 < wait { throw error }
  }
}
