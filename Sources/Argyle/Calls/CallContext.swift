import Support
import Transport

/// What is asked of whom: what every message about a call begins with, and what none may show.
package final class CallContext: Sendable {
  /// The bytes from which on a secret stands nowhere by chance.
  private static let longSecret = 8

  let request: Request
  private let authority: String
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
  /// In the library's own words a short secret may stand by chance, as in a number, and is left there.
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
    let own = redactingLongSecrets(
      "\(request.method.name) \(request.path) at \(authority): \(reason)"
    )
    return "\(own)\(colon)\(quote)\(addition)"
  }

  /// The path of the request, fit to be shown: a program may take the key or a token for a user's id.
  var path: String { redactingLongSecrets(request.path) }

  /// The host and port, fit to be shown.
  var host: String { redactingLongSecrets(authority) }

  private func redactingLongSecrets(_ text: String) -> String {
    secrets.reduce(text) { $1.count < CallContext.longSecret ? $0 : $0.redacting($1) }
      .redactingTokens
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
