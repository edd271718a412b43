import Support
import Transport

extension ArgyleError {
  /// Creates the error of a call that has started.
  ///
  /// - Parameters:
  ///   - code: the kind of failure.
  ///   - reason: the library's own message.
  ///   - detail: a message from libcurl or the service.
  ///   - verdict: the policy's verdict on the last attempt.
  ///   - mayHaveActedBefore: whether an earlier attempt may have been carried out.
  ///   - attempts: the number of attempts.
  ///   - head: the response head of the last attempt.
  ///   - body: its body.
  ///   - document: the body, if it is JSON.
  ///   - context: the request and its secrets.
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
