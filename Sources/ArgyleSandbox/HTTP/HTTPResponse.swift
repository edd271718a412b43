/// What a request is answered with.
struct HTTPResponse {
  let status: UInt32
  private(set) var headers: [HTTPHeader] = []
  let body: Bytes

  /// An answer without a body.
  init(status: UInt32) {
    self.status = status
    body = []
  }

  init(status: UInt32, json: JSONWriter) {
    self.status = status
    body = json.text
    headers = [HTTPHeader(name: "Content-Type", value: "application/json")]
  }

  func adding(_ name: String, _ value: String) -> HTTPResponse {
    var response = self
    response.headers.append(HTTPHeader(name: name, value: value))
    return response
  }
}
