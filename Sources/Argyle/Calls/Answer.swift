/// An answer together with what was asked: what is needed to read it, or to say why it cannot be read.
package struct Answer: Sendable {
  let request: Request
  let authority: String
  package let response: Response
  let attempts: Int

  /// The body as JSON.
  func document() throws(ArgyleError) -> JSONReference {
    do {
      return try JSONReference(parsing: response.body)
    } catch {
      if error.isOutOfMemory { throw .outOfMemory }
      if response.body.isEmpty { throw protocolError("the answer is empty where JSON is expected") }
      let type = Answer.printable(response.contentType ?? "no content type")
      throw protocolError("the answer is not JSON that can be read (\(type)): \(error.reason)")
    }
  }

  /// The body as a JSON object with members that are texts and not empty.
  func object(with keys: StaticString...) throws(ArgyleError) -> JSONReference {
    let document = try document()
    guard document.isObject else { throw protocolError("the answer is not a JSON object") }
    for key in keys where document.member(key)?.text == nil {
      throw protocolError("the answer has no text \"\(String(cString: key.cString))\"")
    }
    return document
  }
}

// MARK: - Errors

extension Answer {
  /// The error for an answer that breaks the protocol.
  func protocolError(_ reason: String) -> ArgyleError {
    error(.protocolViolation, reason, isRetryable: false)
  }

  /// The error that the answer's status stands for.
  func statusError() -> ArgyleError {
    var reason = "status \(response.status)"
    if (300..<400).contains(response.status) { reason += ": redirects are refused" }
    if let detail = detail { reason += ": \(detail)" }
    return error(.status(response.status), reason, isRetryable: isRetryable)
  }

  private func error(
    _ code: ArgyleError.Code,
    _ reason: String,
    isRetryable: Bool
  ) -> ArgyleError {
    ArgyleError(
      code,
      "\(request.method.name) \(request.path) at \(authority): \(reason)",
      isRetryable: isRetryable,
      attempts: attempts,
      response: response
    )
  }

  private var isRetryable: Bool {
    switch response.status {
    case 429: true
    case 503: request.isIdempotent || response.retryAfterMilliseconds != nil
    case 408, 500, 502, 504: request.isIdempotent
    default: false
    }
  }

  /// What the service says of its refusal: `{"detail": "<text>"}` or `{"<field>": ["<text>", …]}`.
  private var detail: String? {
    guard let document = try? document() else { return nil }
    if let detail = document.member("detail")?.text { return Answer.printable(detail) }
    guard let (field, texts) = document.firstMember, let text = texts.item(0)?.text else {
      return nil
    }
    return Answer.printable("\(field): \(text)")
  }

  /// A text from outside, fit for one line of a log: control characters made spaces, and cut at a length.
  private static func printable(_ text: String) -> String {
    let most = 200
    var line = ""
    var count = 0
    for scalar in text.unicodeScalars {
      if count == most { return line + "…" }
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      line.unicodeScalars.append(isControl ? " " : scalar)
      count += 1
    }
    return line
  }
}
