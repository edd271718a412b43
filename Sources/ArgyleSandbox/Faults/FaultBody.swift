import Support

/// The body of an answer that went wrong.
enum FaultBody {
  /// As the service would write it.
  case json
  /// Said to be JSON, and none.
  case notJSON
  /// The page of a proxy.
  case html
  case empty
  /// Announced whole and broken off in the middle; an answer without a body has nothing to cut.
  case cut
  /// A list's `results` alone; other answers stay as they are.
  case array

  /// The bodies of refusals.
  static var ofErrors: [String] { ["json", "not_json", "html", "empty", "cut"] }

  /// What can become of an answer's body.
  static var ofAnswers: [String] { ["not_json", "html", "empty", "cut", "array"] }

  /// Reads the member `body`; nil where there is none.
  init?(_ members: inout JSONMembers, _ choices: [String]) throws(SandboxError) {
    guard let name = try members.choice("body", choices) else { return nil }
    if name.utf8.matches("not_json") {
      self = .notJSON
    } else if name.utf8.matches("html") {
      self = .html
    } else if name.utf8.matches("empty") {
      self = .empty
    } else if name.utf8.matches("cut") {
      self = .cut
    } else if name.utf8.matches("array") {
      self = .array
    } else {
      self = .json
    }
  }

  /// Spoils an answer.
  func applied(to response: HTTPResponse) -> HTTPOutcome {
    switch self {
    case .json: return HTTPOutcome(response)
    case .cut: return HTTPOutcome(response, isCut: true)
    case .empty: return HTTPOutcome(response.replacing(body: [], contentType: nil))
    case .notJSON:
      let text = "upstream connect error or disconnect/reset before headers"
      return HTTPOutcome(
        response.replacing(body: Bytes(text.utf8), contentType: "application/json")
      )
    case .html:
      let status = response.status
      let page = """
        <!DOCTYPE html>
        <html><head><title>\(status)</title></head><body><h1>\(status)</h1></body></html>

        """
      return HTTPOutcome(response.replacing(body: Bytes(page.utf8), contentType: "text/html"))
    case .array:
      // A list stands around metadata that may be as deep as a body.
      let document = try? JSONScanner.scan(response.body, maximumDepth: .max, member: "results")
      guard let results = document?.member else { return HTTPOutcome(response) }
      return HTTPOutcome(
        response.replacing(body: Bytes(results.text), contentType: "application/json")
      )
    }
  }
}
