import CCurl
import Support

/// The status of an answer and its headers.
package struct ResponseHead: Sendable {
  /// The HTTP status.
  package let status: Int
  /// The headers of the final answer, without trailers.
  package let headers: ResponseHeaders
  /// When it came, in seconds since 1970: what a `Retry-After` date is read by.
  private let receivedAt: Int64

  /// Makes a head; package-wide for tests alone.
  package init(status: Int, headers: ResponseHeaders = ResponseHeaders(), receivedAt: Int64 = 0) {
    self.status = status
    self.headers = headers
    self.receivedAt = receivedAt
  }

  /// The type of the body.
  package var contentType: String? { headers["Content-Type"] }

  /// The id by which Argyle's support can find the request.
  package var traceID: String? { headers["X-Trace-Id"] }

  /// How long the service asked to wait, or nil where it said nothing that can be read.
  package var retryAfterMilliseconds: Int64? {
    headers["Retry-After"].flatMap {
      ResponseHead.milliseconds(ofRetryAfter: $0, receivedAt: receivedAt)
    }
  }
}

// MARK: - Retry-After

extension ResponseHead {
  /// A year: what is longer is as good as never, and far from any overflow.
  private static let maxWait: Int64 = 365 * 24 * 60 * 60

  /// Reads seconds or an HTTP date; a wait that lies in the past is 0.
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
