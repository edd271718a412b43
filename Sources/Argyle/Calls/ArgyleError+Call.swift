import Support
import Transport

extension ArgyleError {
  /// The error of a call that has begun.
  ///
  /// - Parameters:
  ///   - code: what has failed.
  ///   - reason: the library's own words on it.
  ///   - detail: what others say of it.
  ///   - verdict: what the last attempt says.
  ///   - mayHaveActedBefore: whether an attempt before may have done what was asked.
  ///   - attempts: the attempts that were made.
  ///   - head: the head of the answer to the last one.
  ///   - body: its body.
  ///   - document: the body, where it is JSON.
  ///   - context: what was asked of whom.
  @inline(never)
  init(
    _ code: Code,
    _ reason: String,
    detail: String?,
    _ verdict: RetryPolicy.Verdict,
    mayHaveActedBefore: Bool,
    attempts: Int,
    head: ResponseHead?,
    body: [UInt8]?,
    document: JSONReference?,
    _ context: CallContext
  ) {
    let details = Details(
      code,
      context.message(
        reason,
        detail: detail,
        earlierMayHaveActed: mayHaveActedBefore && !verdict.mayHaveActed
      ),
      isRetryable: verdict.isRetryable,
      outcomeIsUnknown: verdict.mayHaveActed || mayHaveActedBefore,
      attempts: attempts,
      head: head,
      traceID: head.flatMap { context.traceID(in: $0) },
      bodyBytes: body,
      document: document
    )
    self.init(details)
  }
}
