import Transport

extension ArgyleError {
  /// Why a call failed; the raw values are the C header's `ARGYLE_ERROR_…`, and none is ever reused.
  public struct Code: RawRepresentable, Hashable, Sendable {
    /// The number, the same in every language.
    public let rawValue: Int32

    /// Creates a code from a number, which this version may not know.
    public init(rawValue: Int32) {
      self.rawValue = rawValue
    }

    /// An argument breaks a rule; nothing was sent.
    public static let argument = Code(rawValue: 1)
    /// The server could not be reached, or the connection was lost.
    public static let connection = Code(rawValue: 2)
    /// TLS could not be established: certificate, host name or protocol version.
    public static let tls = Code(rawValue: 3)
    /// A timeout or the deadline passed.
    public static let timeout = Code(rawValue: 4)
    /// The response cannot be read: not HTTP, not JSON, or unexpected JSON.
    public static let protocolViolation = Code(rawValue: 5)
    /// The decoded response exceeds the client's limit.
    public static let tooLarge = Code(rawValue: 6)
    /// Status 401: the API key is wrong, or belongs to another environment.
    public static let authentication = Code(rawValue: 7)
    /// Status 403: the API key has no permission.
    public static let permission = Code(rawValue: 8)
    /// Status 404: there is no such user.
    public static let notFound = Code(rawValue: 9)
    /// Status 400 or 422: the service rejected the request.
    public static let invalidRequest = Code(rawValue: 10)
    /// Status 409.
    public static let conflict = Code(rawValue: 11)
    /// Status 429: too many requests.
    public static let rateLimited = Code(rawValue: 12)
    /// Status 5xx: the service failed.
    public static let server = Code(rawValue: 13)
    /// Any other unsuccessful status.
    public static let http = Code(rawValue: 14)
    /// Status 3xx: redirects are refused, because they would receive the key.
    public static let redirect = Code(rawValue: 15)
    /// The handle belongs to the parent process.
    public static let forked = Code(rawValue: 16)
    /// Memory ran out, or this library has a bug.
    public static let `internal` = Code(rawValue: 17)
    /// The caller cancelled the call.
    public static let cancelled = Code(rawValue: 18)
  }
}

extension ArgyleError.Code {
  /// The code's name, such as `not_found`: the C constant in lower case without `ARGYLE_ERROR_`.
  public var name: String {
    staticName.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
  }

  /// The name as a constant that C may borrow.
  package var staticName: StaticString {
    switch rawValue {
    case 0: "ok"
    case 1: "argument"
    case 2: "connection"
    case 3: "tls"
    case 4: "timeout"
    case 5: "protocol"
    case 6: "too_large"
    case 7: "authentication"
    case 8: "permission"
    case 9: "not_found"
    case 10: "invalid_request"
    case 11: "conflict"
    case 12: "rate_limited"
    case 13: "server"
    case 14: "http"
    case 15: "redirect"
    case 16: "forked"
    case 17: "internal"
    case 18: "cancelled"
    default: "unknown"
    }
  }

  /// The code for a failed transfer.
  init(_ kind: TransferFailure.Kind) {
    self =
      switch kind {
      case .connection: .connection
      case .tls: .tls
      case .timeout: .timeout
      case .protocolViolation: .protocolViolation
      case .tooLarge: .tooLarge
      case .cancelled: .cancelled
      case .internal: .internal
      }
  }

  /// The code for an HTTP status outside 2xx.
  static func status(_ status: Int) -> ArgyleError.Code {
    switch status {
    case 300..<400: .redirect
    case 400, 422: .invalidRequest
    case 401: .authentication
    case 403: .permission
    case 404: .notFound
    case 409: .conflict
    case 429: .rateLimited
    case 500..<600: .server
    default: .http
    }
  }
}
