/// `/openapi.json`: the description of the API, which is not part of it and needs no key.
struct OpenAPIEndpoint {
  static func respond(to request: HTTPRequest) -> HTTPResponse {
    switch request.method {
    case .get, .head:
      var json = JSONWriter()
      json.raw(PackageResources.openapi_json)
      return HTTPResponse(status: 200, json: json)
    default:
      return .error(405, detail: "Method \"\(request.method.name)\" not allowed.")
        .adding("Allow", "GET, HEAD")
    }
  }
}
