import Support

extension HTTPRequest {
  /// Returns the URL of a path with a query, to which the request's parameters are added as sent, except those replaced.
  func url(_ path: String, replacing names: [String]) -> String {
    var url = origin + path
    for parameter in target.parameters {
      let name = parameter.name
      if names.contains(where: { name.matches($0) }) { continue }
      url += "&" + PercentEncoding.sanitizeQuery(parameter.text)
    }
    return url
  }
}
