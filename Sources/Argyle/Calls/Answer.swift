import Support
import Transport

/// An answer together with what was asked: what is needed to read it, or to say why it cannot be read.
package struct Answer: Sendable {
  let context: CallContext
  package let response: Response
  /// Whether an attempt before may have done what was asked, though it brought no answer.
  let mayHaveActedBefore: Bool

  /// The attempts that were made.
  ///
  /// It stands last on purpose: valgrind would take a step's mark, which the compiler would put behind the truth value,
  /// for unset.
  package let attempts: Int

  /// The body as JSON.
  func document() throws(ArgyleError) -> JSONReference {
    do {
      return try JSONReference(parsing: response.body)
    } catch {
      if error.isOutOfMemory { throw .outOfMemory }
      if response.body.isEmpty { throw protocolError("the answer is empty where JSON is expected") }
      let type = response.head.contentType.map { context.quotable($0) } ?? "no content type"
      let reason = "the answer is not JSON that can be read (\(type))"
      throw protocolError(reason, detail: error.reason)
    }
  }

  /// The body as JSON, checked for what this library relies on in the answer to an operation.
  func document(of operation: Operation) throws(ArgyleError) -> JSONReference {
    switch operation.endpoint.answer {
    case .anything: return try document()
    case .page: return try UserPageDocument(self).document
    case .object(let members, let subject):
      let document = try object(with: members)
      if let asked = operation.userID { try check(document, subject, is: asked) }
      return document
    }
  }

  /// Refuses an answer about another user than the one that was asked for: it is the answer to something else.
  private func check(
    _ document: JSONReference,
    _ subject: Endpoint.Subject,
    is asked: UserID
  ) throws(ArgyleError) {
    let found: (member: StaticString, id: String?)
    switch subject {
    case .anybody: return
    case .member(let name): found = (name, document.member(name)?.text)
    case .token(let name):
      found = ("user_id", document.member(name)?.text.flatMap { Answer.userID(inToken: $0) })
    }
    guard let id = found.id, !ASCII.areSame(asked.text.utf8, id.utf8) else { return }
    let member = String(cString: found.member.cString)
    throw protocolError("the \"\(member)\" in the answer is another user's")
  }

  /// The user whom a token is for; nil where it does not say so in a form that can be read.
  private static func userID(inToken token: String) -> String? {
    (try? TokenClaims.document(of: token))?.member("user_id")?.text
  }

  /// The body as a JSON object with members that are texts and not empty.
  private func object(with keys: [StaticString]) throws(ArgyleError) -> JSONReference {
    let document = try document()
    guard document.isObject else { throw protocolError("the answer is not a JSON object") }
    for key in keys where !document.hasText(key) {
      throw protocolError("the answer has no text \"\(String(cString: key.cString))\"")
    }
    return document
  }
}

// MARK: - Errors

extension Answer {
  /// The error for an answer that breaks the protocol.
  func protocolError(_ reason: String, detail: String? = nil) -> ArgyleError {
    error(.protocolViolation, reason, detail, RetryPolicy.verdict(onUnreadable: context.request))
  }

  /// The error that the answer's status stands for.
  func statusError(_ verdict: RetryPolicy.Verdict) -> ArgyleError {
    var reason = "status \(response.head.status)"
    if (300..<400).contains(response.head.status) { reason += ": redirects are refused" }
    let document = response.document
    return error(.status(response.head.status), reason, detail(in: document), verdict, document)
  }

  private func error(
    _ code: ArgyleError.Code,
    _ reason: String,
    _ detail: String?,
    _ verdict: RetryPolicy.Verdict,
    _ document: JSONReference? = nil
  ) -> ArgyleError {
    ArgyleError(
      code,
      reason,
      detail: detail,
      verdict,
      mayHaveActedBefore: mayHaveActedBefore,
      attempts: attempts,
      head: response.head,
      body: response.body,
      document: document ?? response.document,
      context
    )
  }

  /// What the service says of its refusal: `{"detail": "<text>"}` or `{"<field>": ["<text>", …]}`.
  private func detail(in document: JSONReference?) -> String? {
    guard let document else { return nil }
    if let detail = document.member("detail")?.text { return detail }
    guard let (field, texts) = document.firstMember, let text = texts.item(0)?.text else {
      return nil
    }
    return "\(field): \(text)"
  }
}

extension Response {
  /// The body as JSON; nil where it is none.
  var document: JSONReference? { try? JSONReference(parsing: body) }
}
