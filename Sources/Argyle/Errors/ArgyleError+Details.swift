import Support
import Transport

extension ArgyleError {
  /// The error's properties.
  final class Details: Sendable {
    let code: Code
    let message: String
    let httpStatus: Int?
    let traceID: String?
    let isRetryable: Bool
    let outcomeIsUnknown: Bool
    let retryAfterMilliseconds: Int64?
    let attempts: Int
    let bodyBytes: [UInt8]?
    let document: JSONReference?

    init(
      _ code: Code,
      _ message: String,
      isRetryable: Bool = false,
      outcomeIsUnknown: Bool = false,
      attempts: Int = 0,
      head: ResponseHead? = nil,
      traceID: String? = nil,
      bodyBytes: [UInt8]? = nil,
      document: JSONReference? = nil
    ) {
      self.code = code
      self.message = message
      self.isRetryable = isRetryable
      self.outcomeIsUnknown = outcomeIsUnknown
      self.attempts = attempts
      self.httpStatus = head?.status
      self.traceID = traceID
      self.retryAfterMilliseconds = head?.retryAfterMilliseconds
      self.bodyBytes = bodyBytes
      self.document = document
    }
  }
}
