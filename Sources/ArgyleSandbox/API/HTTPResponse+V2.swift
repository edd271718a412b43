extension HTTPResponse {
  /// The response to a browser that asks whether a page of another site may send its request.
  static func preflight(_ route: Route) -> HTTPResponse {
    HTTPResponse(status: 200)
      .adding("Access-Control-Allow-Methods", route.allowedMethods)
      .adding("Access-Control-Allow-Headers", "authorization, content-type")
  }

  /// Adds the headers that were recorded from API v2 and not from v1.
  func addingHeadersOfV2(_ route: Route) -> HTTPResponse {
    let response =
      adding("Access-Control-Allow-Origin", "*")
      .adding("Vary", "Accept-Encoding,Origin")
    if route.template == nil || header("Allow") != nil { return response }
    return response.adding("Allow", route.allowedMethods)
  }
}
