import Support
import Transport

/// A failure of the library or of the service.
///
/// Status, trace id, `Retry-After` and body are those of the last attempt's response, even if the call was cancelled or
/// met its deadline before the next attempt.
public struct ArgyleError: Error, Sendable {
  /// Why the call failed.
  public var code: Code { details.code }

  /// One sentence for humans; its wording may change between versions.
  ///
  /// It contains neither the API key's secret nor user tokens. It may contain the user's id, the host and what the
  /// service said about the failure, cut to 200 characters.
  public var message: String { details.message }

  /// The response's HTTP status; nil without a response.
  public var httpStatus: Int? { details.httpStatus }

  /// The response's `X-Trace-Id`, for Argyle's support to find the request.
  public var traceID: String? { details.traceID }

  /// Whether the call is safe to retry and may succeed later.
  public var isRetryable: Bool { details.isRetryable }

  /// Whether the service may have carried out the request despite the failure.
  ///
  /// True if a request that changes something may have reached the service without a response, if the service failed
  /// while processing it (408, and 5xx except 501, 505, and 503 with `Retry-After`), and if the service reported a
  /// success in a response that cannot be read. If this holds only for an attempt before the last one, the message says
  /// so.
  public var outcomeIsUnknown: Bool { details.outcomeIsUnknown }

  /// The wait that the service asked for, in milliseconds; nil if there is none.
  public var retryAfterMilliseconds: Int64? { details.retryAfterMilliseconds }

  /// Number of attempts: 0 if the call failed before the first.
  public var attempts: Int { details.attempts }

  /// The response's body as received; nil without a complete response.
  ///
  /// It may contain personal data: do not log it.
  public var bodyBytes: [UInt8]? { details.bodyBytes }

  /// The body as a jansson value; nil if it is not JSON.
  package var document: JSONReference? { details.document }

  // A reference, so that passing an error around is cheap.
  private let details: Details

  /// Creates an error without a call.
  // Not inlined, because it is used in many places.
  @inline(never)
  package init(_ code: Code, _ message: String) {
    details = Details(code, message)
  }

  /// Creates the error of a call that has started.
  init(_ details: Details) {
    self.details = details
  }

  /// The response's body as JSON; nil without a complete response or if it is not JSON.
  public var body: JSON? { document.map { JSON($0) } }
}

// MARK: - Description

extension ArgyleError: CustomStringConvertible, CustomDebugStringConvertible {
  /// The code's name and the message, never the body.
  public var description: String { "\(code.name): \(message)" }

  /// The same as ``description``.
  public var debugDescription: String { description }
}

#if !hasFeature(Embedded)
  extension ArgyleError: CustomReflectable {
    /// Only the code and the message, so that no dump shows the body.
    public var customMirror: Mirror {
      Mirror(self, children: ["code": code, "message": message])
    }
  }
#endif

extension ArgyleError {
  /// An allocation in libcurl or jansson failed.
  package static let outOfMemory = ArgyleError(.internal, "out of memory")

  /// Creates an error for invalid options.
  package init(_ error: OptionError) {
    switch error {
    case .outOfMemory: self = .outOfMemory
    case .invalid(let name, let rule): self.init(.argument, "\(name) \(rule)")
    }
  }

  /// Converts an ``OptionError`` thrown by `body`.
  package static func wrapping<Value>(
    _ body: () throws(OptionError) -> Value
  ) throws(ArgyleError) -> Value {
    do {
      return try body()
    } catch {
      throw ArgyleError(error)
    }
  }
}
