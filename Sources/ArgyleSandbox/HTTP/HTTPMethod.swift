/// An HTTP method.
enum HTTPMethod {
  case get, head, post, put, patch, delete, options
  case other(String)

  init(_ name: String) {
    let known: [HTTPMethod] = [.get, .head, .post, .put, .patch, .delete, .options]
    self = known.first { name.utf8.matches($0.name) } ?? .other(name)
  }

  var name: String {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .patch: "PATCH"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    case .other(let name): name
    }
  }
}
