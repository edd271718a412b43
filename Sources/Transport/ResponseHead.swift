import CCurl
import Support

/// The status and headers of a response.
package struct ResponseHead: Sendable {
  package let status: Int
  /// Headers of the final response, without trailers.
  package let headers: ResponseHeaders
  /// When it was received, in seconds since 1970: the reference for a `Retry-After` date.
  private let receivedAt: Int64

  /// Creates a head; `package` only for tests.
  package init(status: Int, headers: ResponseHeaders = ResponseHeaders(), receivedAt: Int64 = 0) {
    self.status = status
    self.headers = headers
    self.receivedAt = receivedAt
  }

  package var contentType: String? { headers["Content-Type"] }

  /// The id for Argyle's support to find the request.
  package var traceID: String? { headers["X-Trace-Id"] }

  /// The wait that the service asked for; nil if there is none or it cannot be parsed.
  package var retryAfterMilliseconds: Int64? {
    headers["Retry-After"].flatMap {
      ResponseHead.milliseconds(ofRetryAfter: $0, receivedAt: receivedAt)
    }
  }
}

// MARK: - Retry-After

extension ResponseHead {
  /// A year, in seconds: longer is as good as never, and this is far from any overflow.
  private static let maxWait: Int64 = 365 * 24 * 60 * 60

  /// Parses seconds or an HTTP date; a wait in the past is 0.
  package static func milliseconds(ofRetryAfter text: String, receivedAt: Int64) -> Int64? {
    if let seconds = seconds(text) { return seconds * 1000 }
    let date = curl_getdate(text, nil)
    guard date != -1 else { return nil }
    let (wait, overflow) = Int64(date).subtractingReportingOverflow(receivedAt)
    return overflow ? nil : min(max(wait, 0), maxWait) * 1000
  }

  private static func seconds(_ text: String) -> Int64? {
    var digits = Substring(text).utf8
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    return decimalNumber(digits, limit: Int(maxWait)).map { isNegative ? 0 : Int64($0) }
  }
}
