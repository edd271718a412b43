import Support
import Transport

/// The request as it appears in messages, and the secrets that must not.
package final class CallContext: Sendable {
  /// Minimum length, in bytes, of a secret that cannot occur in other text by chance.
  private static let longSecret = 8

  /// Minimum length, in bytes, of a text of the body that is redacted.
  private static let shortestPersonalText = 4

  let request: Request
  /// The version of the API that the request is for.
  let version: APIVersion
  private let authority: String
  /// The key's secret, its base64-encoded Basic credentials, and passwords.
  let secrets: [Secret]

  /// Creates a context; `package` only for tests.
  package init(
    _ request: Request,
    version: APIVersion = .v1,
    authority: String,
    secrets: [Secret]
  ) {
    self.request = request
    self.version = version
    self.authority = authority
    self.secrets = secrets
  }

  /// Builds a one-line message from the library's own reason and a quoted detail.
  ///
  /// The reason is searched for long secrets only: a short one may occur in it by chance, as in a number.
  ///
  /// If the outcome is unknown only because of an earlier attempt, the message says so: the reason, which is the last
  /// attempt's, would seem to contradict it.
  func message(
    _ reason: String,
    detail: String? = nil,
    earlierMayHaveActed: Bool = false
  ) -> String {
    let quote = detail.map(quotable) ?? ""
    let colon = reason.isEmpty || quote.isEmpty ? "" : ": "
    let addition = earlierMayHaveActed ? "; an earlier attempt may have taken effect" : ""
    let own = redactingLongSecrets(
      "\(request.method.name) \(request.path) at \(authority): \(reason)"
    )
    return "\(own)\(colon)\(quote)\(addition)"
  }

  /// The request's path, redacted: a program may pass the key or a token as a user's id.
  var path: String { redactingLongSecrets(request.path) }

  /// Host and port, redacted.
  var host: String { redactingLongSecrets(authority) }

  private func redactingLongSecrets(_ text: String) -> String {
    secrets.reduce(text) { $1.count < CallContext.longSecret ? $0 : $0.redacting($1) }
      .redactingTokens
  }

  /// Makes foreign text fit for one line of a log, with secrets and tokens redacted.
  func quotable(_ text: String) -> String {
    secrets.reduce(text) { $0.redacting($1) }.redactingTokens.printable
  }

  /// Redacts the request's personal data in a message of the service; nil if that is impossible, or takes too long.
  func redactingBody(_ message: String) -> String? {
    guard request.isBodyPersonal, let body = request.body else { return message }
    guard let document = try? JSONReference(parsing: body) else { return nil }
    // Shorter texts may occur in the message by chance.
    let texts = document.texts.filter { $0.utf8.count >= CallContext.shortestPersonalText }
    guard texts.count * message.utf8.count <= 10_000_000 else { return nil }
    return message.redacting(texts)
  }

  /// The response's trace id, fit for a message.
  func traceID(in head: ResponseHead) -> String? {
    head.traceID.map { quotable($0) }
  }
}
