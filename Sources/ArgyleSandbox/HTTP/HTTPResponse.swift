/// An HTTP response.
struct HTTPResponse {
  let status: UInt32
  private(set) var headers: [HTTPHeader] = []
  private(set) var body: Bytes

  /// Creates a response without a body.
  init(status: UInt32) {
    self.status = status
    body = []
  }

  init(status: UInt32, json: JSONWriter) {
    self.status = status
    body = json.text
    headers = [HTTPHeader(name: "Content-Type", value: "application/json")]
  }

  /// Returns the response with another body.
  func replacing(body: Bytes, contentType: String?) -> HTTPResponse {
    var response = self
    response.body = body
    response.headers.removeAll { $0.name.utf8.matches("Content-Type") }
    guard let contentType else { return response }
    return response.adding("Content-Type", contentType)
  }

  /// Value of the first header with this name; nil if absent.
  func header(_ name: String) -> String? {
    headers.first { $0.name.utf8.matches(name) }?.value
  }

  func adding(_ name: String, _ value: String) -> HTTPResponse {
    var response = self
    response.headers.append(HTTPHeader(name: name, value: value))
    return response
  }
}
