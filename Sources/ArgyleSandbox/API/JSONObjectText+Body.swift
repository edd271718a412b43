import Support

extension JSONObjectText {
  /// Maximum nesting depth of a body.
  private static var maximumDepth: Int { 4096 }

  /// Reads the body of a request; no body is an empty object, and a form in v2 an object of strings.
  init(_ request: HTTPRequest, _ version: APIVersion) throws(InvalidRequest) {
    if request.body.isEmpty {
      self.init(Bytes("{}".utf8))
    } else if version == .v2, request.isForm {
      try self.init(form: request.body)
    } else {
      try self.init(json: request)
    }
  }

  private init(json request: HTTPRequest) throws(InvalidRequest) {
    guard request.isJSON else {
      let name = String(decoding: request.contentType ?? [], as: UTF8.self)
      throw InvalidRequest(
        response: .error(415, detail: "Unsupported media type \"\(name)\" in request.")
      )
    }
    let kind: JSONKind
    do throws(JSONTextError) {
      kind = try JSONScanner.scan(request.body, maximumDepth: Self.maximumDepth).kind
    } catch {
      let message = error.message(in: request.body)
      throw InvalidRequest(response: .error(400, detail: "JSON parse error - \(message)"))
    }
    switch kind {
    case .object: self.init(request.body)
    case .null:
      throw InvalidRequest(response: .invalid("non_field_errors", "No data provided"))
    default:
      throw InvalidRequest(response: .invalid("non_field_errors", kind.isNoDictionary))
    }
  }

  private init(form: Bytes) throws(InvalidRequest) {
    var json = JSONWriter()
    json.raw("{")
    for part in form.split(separator: UInt8(ascii: "&")) {
      let parameter = QueryParameter(text: Bytes(part))
      let name = String(decoding: parameter.name, as: UTF8.self)
      json.member(name, JSONWriter.string(parameter.value))
    }
    json.raw("}")
    // Escapes and replaced bytes are longer than what they stand for.
    guard json.text.count <= HTTPExchange.bodyLimit else {
      throw InvalidRequest(response: .bodyTooLarge)
    }
    self.init(json.text)
  }
}
