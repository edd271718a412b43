import Support
import Transport

/// A failure of the library or of the service, with all that is known about it.
///
/// Status, trace id, `Retry-After` and body are those of the answer to the last attempt that was made, also where the
/// call was cancelled or met its deadline before the next one.
public struct ArgyleError: Error, Sendable {
  /// Why the call failed.
  public var code: Code { details.code }

  /// One sentence for people, whose wording may change between versions.
  ///
  /// It holds neither the API key's secret nor user tokens. It can hold the user's id, the host and, cut to 200
  /// characters, what the service said about the failure.
  public var message: String { details.message }

  /// The HTTP status of the answer, or nil where no answer came.
  public var httpStatus: Int? { details.httpStatus }

  /// The answer's `X-Trace-Id`, by which Argyle's support can find the request.
  public var traceID: String? { details.traceID }

  /// Whether the same call may succeed later and can be repeated without doing anything twice.
  public var isRetryable: Bool { details.isRetryable }

  /// Whether the service may have carried out what was asked, though no success was told.
  ///
  /// So it is where a request that changes something may have reached the service and no answer came, where the
  /// service failed in the middle (408, 500, 502, 504, and 503 without `Retry-After`), and where a success was
  /// told in an answer that cannot be read. Where none of this is true of the last attempt, but of an earlier one,
  /// the message says so.
  public var outcomeIsUnknown: Bool { details.outcomeIsUnknown }

  /// How long the service asked to wait, in milliseconds, or nil where it said nothing.
  public var retryAfterMilliseconds: Int64? { details.retryAfterMilliseconds }

  /// The attempts that were made: 0 where the call ended before the first.
  public var attempts: Int { details.attempts }

  /// The body of the answer as it was received, or nil where no whole answer came.
  ///
  /// It may hold personal data: do not log it.
  public var bodyBytes: [UInt8]? { details.bodyBytes }

  /// The body as jansson holds it, or nil where it is not JSON.
  package var document: JSONReference? { details.document }

  // Apart, so that an error is a word to hand on.
  private let details: Details

  /// The error of what no call has brought; not inlined, for it is made in many places.
  @inline(never)
  package init(_ code: Code, _ message: String) {
    details = Details(code, message)
  }

  /// The error of a call that has begun.
  init(_ details: Details) {
    self.details = details
  }

  /// The body of the answer as JSON, or nil where no whole answer came or its body is not JSON.
  public var body: JSON? { document.map { JSON($0) } }
}

// MARK: - Description

extension ArgyleError: CustomStringConvertible, CustomDebugStringConvertible {
  /// The code's name and the message; never the body.
  public var description: String { "\(code.name): \(message)" }

  /// The same as ``description``.
  public var debugDescription: String { description }
}

#if !hasFeature(Embedded)
  extension ArgyleError: CustomReflectable {
    /// The code and the message alone, so that no dump shows the body.
    public var customMirror: Mirror {
      Mirror(self, children: ["code": code, "message": message])
    }
  }
#endif

extension ArgyleError {
  /// An allocation of libcurl's or jansson's failed.
  package static let outOfMemory = ArgyleError(.internal, "memory ran out")

  /// The error of options that cannot be used.
  package init(_ error: OptionError) {
    switch error {
    case .outOfMemory: self = .outOfMemory
    case .invalid(let name, let rule): self.init(.argument, "\(name) \(rule)")
    }
  }

  /// Runs what fails for options that cannot be used.
  package static func ofOptions<Value>(
    _ body: () throws(OptionError) -> Value
  ) throws(ArgyleError) -> Value {
    do {
      return try body()
    } catch {
      throw ArgyleError(error)
    }
  }
}
