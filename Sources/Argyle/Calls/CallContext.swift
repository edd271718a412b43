/// What is asked of whom: what every message about a call begins with, and what none may show.
package struct CallContext: Sendable {
  let request: Request
  /// The host and port.
  let authority: String
  /// The key's secret, and the key as HTTP Basic authentication writes it.
  let secrets: [Secret]

  /// Makes one; package-wide for tests alone.
  package init(_ request: Request, authority: String, secrets: [Secret]) {
    self.request = request
    self.authority = authority
    self.secrets = secrets
  }

  /// The one line for people about a failure: the reason in the library's own words, and what others said of it.
  ///
  /// Only others' words are searched for secrets: a short one may stand in a number of the library's own.
  ///
  /// Where the outcome is unknown because of an earlier attempt alone, the line says so: the reason, which is that of
  /// the last attempt, would seem to contradict it.
  func message(
    _ reason: String,
    detail: String? = nil,
    earlierMayHaveActed: Bool = false
  ) -> String {
    let quote = detail.map(quotable) ?? ""
    let colon = reason.isEmpty || quote.isEmpty ? "" : ": "
    let addition = earlierMayHaveActed ? "; an earlier attempt may have been carried out" : ""
    let what = "\(request.method.name) \(request.path) at \(authority)"
    return "\(what): \(reason)\(colon)\(quote)\(addition)"
  }

  /// A text from outside, fit for one line of a log and without secrets.
  func quotable(_ text: String) -> String {
    secrets.reduce(text) { $0.redacting($1) }.redactingTokens.printable
  }

  /// The trace id of an answer, fit to be shown.
  func traceID(in head: ResponseHead) -> String? {
    head.traceID.map { quotable($0) }
  }
}
