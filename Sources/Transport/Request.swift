/// An HTTP request without host and credentials.
package struct Request: Sendable {
  package enum Method: Sendable {
    case get
    case post
    case patch
    case delete

    /// Whether a body is sent, even if empty.
    package var hasBody: Bool {
      switch self {
      case .post, .patch: true
      case .get, .delete: false
      }
    }

    /// The name in a request line.
    package var name: String {
      switch self {
      case .get: "GET"
      case .post: "POST"
      case .patch: "PATCH"
      case .delete: "DELETE"
      }
    }
  }

  package let method: Method
  /// The path from `/v1` on, percent-encoded.
  package let path: String
  /// The query without the question mark; may be empty.
  package let query: String
  /// The JSON document to send; nil for an empty body.
  package let body: [UInt8]?
  /// Whether the body is about a person, so that nothing of it may be shown.
  package let isBodyPersonal: Bool

  package init(
    _ method: Method,
    _ path: String,
    query: String = "",
    body: [UInt8]? = nil,
    isBodyPersonal: Bool = false
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.body = body
    self.isBodyPersonal = isBodyPersonal
  }

  /// Whether the request changes anything on the service.
  package var isMutating: Bool { method != .get }

  /// Whether sending the request twice has the same effect as once.
  package var isIdempotent: Bool {
    switch method {
    case .get, .patch, .delete: true
    case .post: false
    }
  }
}
