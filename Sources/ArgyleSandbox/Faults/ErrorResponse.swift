/// An error response sent instead of the API's response.
struct ErrorResponse {
  let status: UInt32
  /// Seconds for the `Retry-After` header; nil to omit it.
  var retryAfter: Int?
  /// Whether `Retry-After` is sent as a date.
  var retryAfterIsDate = false
  let body: FaultBody

  func outcome() -> HTTPOutcome {
    var response = HTTPResponse.error(status, detail: detail)
    if let retryAfter { response = response.adding("Retry-After", header(retryAfter)) }
    return body.applied(to: response)
  }

  private var detail: String {
    guard status == 429 else { return "The sandbox was told to respond with \(status)." }
    guard let retryAfter else { return "Request was throttled." }
    let unit = retryAfter == 1 ? "second" : "seconds"
    return "Request was throttled. Expected available in \(retryAfter) \(unit)."
  }

  /// Returns the value of `Retry-After`; a date is in system time, like the `Date` header, not in the sandbox's time.
  private func header(_ seconds: Int) -> String {
    guard retryAfterIsDate else { return "\(seconds)" }
    let now = Timestamp.systemNow().milliseconds
    return Timestamp(milliseconds: now + Int64(seconds) * 1000).httpDate
  }
}
