extension HTTPResponse {
  static var notFound: HTTPResponse { .error(404, detail: "Not found.") }

  static var bodyTooLarge: HTTPResponse { .error(413, detail: "Request body is too large.") }

  static func error(_ status: UInt32, detail: String) -> HTTPResponse {
    var json = JSONWriter()
    json.raw("{\"detail\":")
    json.string(detail)
    json.raw("}")
    return HTTPResponse(status: status, json: json)
  }

  static func methodNotAllowed(_ method: HTTPMethod, allowing methods: String) -> HTTPResponse {
    .error(405, detail: "Method \"\(method.name)\" not allowed.").adding("Allow", methods)
  }

  static func unauthorized(_ detail: String) -> HTTPResponse {
    .error(401, detail: detail).adding("WWW-Authenticate", "Basic realm=\"api\"")
  }

  /// The error for an invalid member of the body.
  static func invalid(_ field: String, _ message: String) -> HTTPResponse {
    var json = JSONWriter()
    json.raw("{")
    json.member(field, JSONWriter.array([message]))
    json.raw("}")
    return HTTPResponse(status: 400, json: json)
  }
}
