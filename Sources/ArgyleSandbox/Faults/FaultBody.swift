import Support

/// The body of a faulty response.
enum FaultBody {
  /// As the service would send it.
  case json
  /// Declared as JSON, but not JSON.
  case notJSON
  /// A proxy's error page.
  case html
  case empty
  /// Announced in full but cut off in the middle; a response without a body stays as it is.
  case cut
  /// A list's `results` as a bare array; other responses stay as they are.
  case array

  /// Bodies for injected errors.
  static var forErrors: [String] { ["json", "not_json", "html", "empty", "cut"] }

  /// Bodies for the API's own responses.
  static var forResponses: [String] { ["not_json", "html", "empty", "cut", "array"] }

  /// Reads the member `body`; returns nil if absent.
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

  /// Replaces or cuts the body of a response.
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
      // Unlimited, because a list adds levels to metadata that may be nested as deeply as a body.
      let document = try? JSONScanner.scan(response.body, maximumDepth: .max, member: "results")
      guard let results = document?.member else { return HTTPOutcome(response) }
      return HTTPOutcome(
        response.replacing(body: Bytes(results.text), contentType: "application/json")
      )
    }
  }
}
