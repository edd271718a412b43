/// One HTTP request as the service is to see it, without host and key.
package struct Request: Sendable {
  /// The HTTP methods in use.
  package enum Method: Sendable {
    case get
    case post
    case patch
    case delete

    /// Whether a body is sent, even an empty one.
    package var hasBody: Bool {
      switch self {
      case .post, .patch: true
      case .get, .delete: false
      }
    }

    /// The method's name on the wire.
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
  /// The part after the question mark; empty where there is none.
  package let query: String
  /// The JSON document to send; nil where the body is empty.
  package let body: [UInt8]?

  package init(
    _ method: Method,
    _ path: String,
    query: String = "",
    body: [UInt8]? = nil
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.body = body
  }

  /// Whether the request is to change something.
  package var isMutating: Bool { method != .get }

  /// Whether the request may be sent twice to the same effect as once.
  package var isIdempotent: Bool {
    switch method {
    case .get, .patch, .delete: true
    case .post: false
    }
  }
}
