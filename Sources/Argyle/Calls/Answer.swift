import Support
import Transport

/// A response with the context needed to read it, or to report why it cannot be read.
package struct Answer: Sendable {
  let context: CallContext
  package let response: Response
  /// Whether an earlier attempt without a response may have been carried out.
  let mayHaveActedBefore: Bool

  /// Number of attempts.
  ///
  /// Declared last on purpose: the compiler would put an enum tag into the padding after the boolean, which valgrind
  /// reports as uninitialised.
  package let attempts: Int

  /// The body as JSON.
  func document() throws(ArgyleError) -> JSONReference {
    do {
      return try JSONReference(parsing: response.body)
    } catch {
      if error.isOutOfMemory { throw .outOfMemory }
      if response.body.isEmpty { throw protocolError("the response is empty, expected JSON") }
      let type = response.head.contentType.map { context.quotable($0) } ?? "no content type"
      let reason = "the response cannot be parsed as JSON (\(type))"
      throw protocolError(reason, detail: error.reason)
    }
  }

  /// The body as JSON, with the members that this library relies on checked.
  func document(of operation: Operation) throws(ArgyleError) -> JSONReference {
    switch Endpoint(operation.kind, context.version).answer {
    case .anything: return try document()
    case .page: return try UserPageDocument(self).document
    case .object(let members, let subject):
      let document = try object(with: members, of: operation)
      if let asked = operation.userID { try check(document, subject, is: asked) }
      return document
    }
  }

  /// Throws if the response is about another user than requested: it answers another request.
  private func check(
    _ document: JSONReference,
    _ subject: Endpoint.Subject,
    is asked: UserID
  ) throws(ArgyleError) {
    let found: (member: StaticString, id: String?)
    switch subject {
    case .unspecified: return
    case .member(let name): found = (name, document.member(name)?.text)
    case .token(let name):
      found = ("user_id", document.member(name)?.text.flatMap { Answer.userID(inToken: $0) })
    }
    guard let id = found.id, !ASCII.areEqualIgnoringCase(asked.text.utf8, id.utf8) else { return }
    let member = String(cString: found.member.cString)
    throw protocolError("the \"\(member)\" in the response is another user's")
  }

  /// Returns a token's user; nil if it cannot be read.
  private static func userID(inToken token: String) -> String? {
    (try? TokenClaims.document(of: token))?.member("user_id")?.text
  }

  /// The body as a JSON object with these members, each a non-empty string.
  private func object(
    with keys: [StaticString],
    of operation: Operation
  ) throws(ArgyleError) -> JSONReference {
    let document = try document()
    guard document.isObject else { throw protocolError("the response is not a JSON object") }
    for key in keys where !document.hasText(key) {
      var reason = "the response has no string \"\(String(cString: key.cString))\""
      if isOfOtherVersion(document, operation) { reason += context.version.other.isResponse }
      throw protocolError(reason)
    }
    return document
  }

  /// Whether a response has what the other version of the API promises.
  private func isOfOtherVersion(_ document: JSONReference, _ operation: Operation) -> Bool {
    guard case .object(let keys, _) = Endpoint(operation.kind, context.version.other).answer
    else { return false }
    return keys.allSatisfy { document.hasText($0) }
  }
}

// MARK: - Errors

extension Answer {
  /// Returns the error for a response that breaks the protocol.
  func protocolError(_ reason: String, detail: String? = nil) -> ArgyleError {
    let verdict = RetryPolicy.verdict(onUnreadable: context.request)
    return error(.protocolViolation, reason, detail, verdict, response.document)
  }

  /// Returns the error for the response's status.
  func statusError(_ verdict: RetryPolicy.Verdict) -> ArgyleError {
    var reason = "status \(response.head.status)"
    if (300..<400).contains(response.head.status) { reason += ": redirects are not followed" }
    let document = response.document
    return error(.status(response.head.status), reason, detail(in: document), verdict, document)
  }

  private func error(
    _ code: ArgyleError.Code,
    _ reason: String,
    _ detail: String?,
    _ verdict: RetryPolicy.Verdict,
    _ document: JSONReference?
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
      document: document,
      context
    )
  }

  /// Extracts the service's message: `{"detail": "<text>"}` or `{"<field>": ["<text>", …]}`, in objects of fields too.
  private func detail(in document: JSONReference?) -> String? {
    guard var value = document else { return nil }
    if let detail = value.member("detail")?.text { return context.redactingBody(detail) }
    var field = ""
    while let (name, member) = value.firstMember {
      field += field.isEmpty ? name : "." + name
      value = member
    }
    guard !field.isEmpty, let text = value.item(0)?.text.flatMap({ context.redactingBody($0) })
    else { return nil }
    return "\(field): \(text)"
  }
}

extension Response {
  /// The body as JSON; nil if it is not JSON.
  var document: JSONReference? { try? JSONReference(parsing: body) }
}
