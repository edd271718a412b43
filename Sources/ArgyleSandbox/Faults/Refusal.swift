/// An error that is answered in place of the API.
struct Refusal {
  let status: UInt32
  /// Seconds, for the header `Retry-After`.
  var retryAfter: Int?
  /// Whether that header is a date.
  var retryAfterIsDate = false
  let body: FaultBody

  func answer() -> HTTPOutcome {
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

  /// A date goes by the system's clock, as the header `Date` does, wherever the sandbox's was moved to.
  private func header(_ seconds: Int) -> String {
    guard retryAfterIsDate else { return "\(seconds)" }
    let now = Timestamp.systemNow().milliseconds
    return Timestamp(milliseconds: now + Int64(seconds) * 1000).httpDate
  }
}
