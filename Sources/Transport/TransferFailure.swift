/// Why a transfer brought no answer.
package struct TransferFailure: Error {
  /// What has failed.
  package enum Kind: Sendable {
    /// The server could not be reached, or the connection was lost.
    case connection
    /// There is no secure connection.
    case tls
    /// A timeout passed.
    case timeout
    /// The answer is not HTTP that can be read.
    case protocolViolation
    /// The answer is larger than the limit.
    case tooLarge
    /// Whoever started the transfer has ended it.
    case cancelled
    /// Memory or descriptors ran out.
    case `internal`
  }

  package let kind: Kind

  /// What was wrong, for people; empty where the detail says it.
  package let reason: String

  /// What libcurl says of it, which may quote the server.
  package let detail: String?

  /// How long the attempt took, in milliseconds.
  ///
  /// It stands before the truth values on purpose: valgrind would take an event's mark, which the compiler would put
  /// into the gap behind them, for unset.
  package let milliseconds: Int

  /// Whether the request may have reached the service.
  package let mayHaveBeenReceived: Bool

  /// Whether the server has said that it did not look at the request.
  package let wasRefused: Bool

  /// Whether a connection kept from an earlier request turned out dead before the first byte of the answer.
  package let keptConnectionWasDead: Bool

  /// Whether a kept connection had brought bytes that nobody asked for, so that the request was not sent on it.
  package let hadUnsolicitedInput: Bool

  /// Whether nobody drove the queue for so long that the server may have lost patience.
  package let hostWasPaused: Bool

  /// The head of the answer, where all of it came before the attempt failed.
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

  /// Whether another attempt may do better.
  package var isTransient: Bool { kind == .connection || kind == .timeout }
}
