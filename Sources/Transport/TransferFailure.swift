/// Why a transfer failed.
package struct TransferFailure: Error {
  package enum Kind: Sendable {
    /// The server could not be reached, or the connection was lost.
    case connection
    /// TLS could not be established.
    case tls
    case timeout
    /// The response is not valid HTTP.
    case protocolViolation
    /// The response exceeds the limit.
    case tooLarge
    /// The caller cancelled the transfer.
    case cancelled
    /// Memory or file descriptors ran out.
    case `internal`
  }

  package let kind: Kind

  /// Message for humans; empty if ``detail`` says it all.
  package let reason: String

  /// libcurl's message, which may quote the server.
  package let detail: String?

  /// Duration of the attempt, in milliseconds.
  ///
  /// Declared before the booleans on purpose: the compiler would put an enum tag into the padding after them, which
  /// valgrind reports as uninitialised.
  package let milliseconds: Int

  /// Whether the request may have reached the service.
  package let mayHaveBeenReceived: Bool

  /// Whether the server said that it did not process the request.
  package let wasRefused: Bool

  /// Whether a reused connection turned out to be closed before the first response byte.
  package let keptConnectionWasDead: Bool

  /// Whether a reused connection had unsolicited input, so that the request was not sent on it.
  package let hadUnsolicitedInput: Bool

  /// Whether the host paused for so long that the server may have timed out.
  package let hostWasPaused: Bool

  /// The response head, if all of it was received before the failure.
  package let head: ResponseHead?

  package init(
    _ kind: Kind,
    _ reason: String,
    detail: String? = nil,
    mayHaveBeenReceived: Bool,
    wasRefused: Bool = false,
    keptConnectionWasDead: Bool = false,
    hadUnsolicitedInput: Bool = false,
    hostWasPaused: Bool = false,
    milliseconds: Int = 0,
    head: ResponseHead? = nil
  ) {
    self.kind = kind
    self.reason = reason
    self.detail = detail
    self.mayHaveBeenReceived = mayHaveBeenReceived
    self.wasRefused = wasRefused
    self.keptConnectionWasDead = keptConnectionWasDead
    self.hadUnsolicitedInput = hadUnsolicitedInput
    self.hostWasPaused = hostWasPaused
    self.milliseconds = milliseconds
    self.head = head
  }

  /// Whether another attempt may succeed.
  package var isTransient: Bool { kind == .connection || kind == .timeout }
}
