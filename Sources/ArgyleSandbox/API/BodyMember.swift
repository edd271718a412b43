import Support

/// What a request's body holds of the one member that its endpoint reads.
enum BodyMember {
  /// How deep the objects and arrays of a body may be nested.
  private static var maximumDepth: Int { 4096 }

  case absent
  case present(JSONValue)
  /// The body cannot be read, and this is the answer.
  case refused(HTTPResponse)

  init(_ key: String, of request: HTTPRequest) {
    if request.body.isEmpty {
      self = .absent
      return
    }
    guard request.isJSON else {
      let name = String(decoding: request.contentType ?? [], as: UTF8.self)
      self = .refused(.error(415, detail: "Unsupported media type \"\(name)\" in request."))
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
      case .null: self = .refused(.invalid("non_field_errors", "No data provided"))
      default:
        let message = "Invalid data. Expected a dictionary, but got \(found.kind.pythonName)."
        self = .refused(.invalid("non_field_errors", message))
      }
    } catch {
      let message = error.message(in: request.body)
      self = .refused(.error(400, detail: "JSON parse error - \(message)"))
    }
  }
}
