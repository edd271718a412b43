import Support

/// The one member of a request's body that its endpoint reads.
enum BodyMember {
  /// Maximum nesting depth of a body.
  private static var maximumDepth: Int { 4096 }

  case absent
  case present(JSONValue)
  /// The body is invalid, and this is the response.
  case rejected(HTTPResponse)

  init(_ key: String, of request: HTTPRequest) {
    if request.body.isEmpty {
      self = .absent
      return
    }
    guard request.isJSON else {
      let name = String(decoding: request.contentType ?? [], as: UTF8.self)
      self = .rejected(.error(415, detail: "Unsupported media type \"\(name)\" in request."))
      return
    }
    do throws(JSONTextError) {
      let found = try JSONScanner.scan(
        request.body,
        maximumDepth: Self.maximumDepth,
        member: key
      )
      switch found.kind {
      case .object: self = found.member.map { .present($0) } ?? .absent
      case .null: self = .rejected(.invalid("non_field_errors", "No data provided"))
      default:
        let message = "Invalid data. Expected a dictionary, but got \(found.kind.pythonName)."
        self = .rejected(.invalid("non_field_errors", message))
      }
    } catch {
      let message = error.message(in: request.body)
      self = .rejected(.error(400, detail: "JSON parse error - \(message)"))
    }
  }
}
