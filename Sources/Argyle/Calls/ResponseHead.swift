import CCurl

/// The status of an answer and what its headers say that matters here.
package struct ResponseHead: Sendable {
  /// The HTTP status.
  package let status: Int
  var contentType: String?
  var traceID: String?
  /// How long the service asked to wait, or nil where it said nothing that can be read.
  let retryAfterMilliseconds: Int64?

  /// Reads the headers; `receivedAt` is in seconds since 1970, to read a `Retry-After` date by.
  init(
    status: Int,
    contentType: String? = nil,
    traceID: String? = nil,
    retryAfter: String? = nil,
    receivedAt: Int64 = 0
  ) {
    self.status = status
    self.contentType = contentType
    self.traceID = traceID
    retryAfterMilliseconds = retryAfter.flatMap {
      ResponseHead.milliseconds(ofRetryAfter: $0, receivedAt: receivedAt)
    }
  }
}

extension CallContext {
  /// A head whose texts may be shown.
  func quotable(_ head: ResponseHead) -> ResponseHead {
    var head = head
    head.contentType = head.contentType.map { quotable($0) }
    head.traceID = head.traceID.map { quotable($0) }
    return head
  }
}

// MARK: - Retry-After

extension ResponseHead {
  /// A year: what is longer is as good as never, and far from any overflow.
  private static let longestWait: Int64 = 365 * 24 * 60 * 60

  /// Reads seconds or an HTTP date; a wait that lies in the past is 0.
  static func milliseconds(ofRetryAfter text: String, receivedAt: Int64) -> Int64? {
    if let seconds = seconds(text) { return seconds * 1000 }
    let date = curl_getdate(text, nil)
    guard date != -1 else { return nil }
    let (wait, overflow) = Int64(date).subtractingReportingOverflow(receivedAt)
    return overflow ? nil : min(max(wait, 0), longestWait) * 1000
  }

  private static func seconds(_ text: String) -> Int64? {
    var digits = Substring(text).utf8
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    var seconds: Int64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      seconds = min(seconds * 10 + Int64(digit - UInt8(ascii: "0")), longestWait)
    }
    return isNegative ? 0 : seconds
  }
}
