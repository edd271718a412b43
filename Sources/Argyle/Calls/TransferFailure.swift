/// Why one attempt brought no answer.
package struct TransferFailure: Sendable {
  /// One of `connection`, `tls`, `timeout`, `protocolViolation`, `tooLarge`, `cancelled` and `internal`.
  let code: ArgyleError.Code

  /// What was wrong, for people; empty where the detail says it.
  let reason: String

  /// What libcurl says of it, which may quote the server.
  let detail: String?

  /// How long the attempt took, in milliseconds.
  ///
  /// It stands before the truth values on purpose: valgrind would take an event's mark, which the compiler would put
  /// into the gap behind them, for unset.
  let milliseconds: Int

  /// Whether the request may have reached the service.
  let mayHaveBeenReceived: Bool

  /// Whether the server has said that it did not look at the request.
  let wasRefused: Bool

  /// Whether a connection kept from an earlier request turned out dead before the first byte of the answer.
  let keptConnectionWasDead: Bool

  /// Whether a kept connection had brought bytes that nobody asked for, so that the request was not sent on it.
  let connectionWasSpoiled: Bool

  /// Whether nobody drove the queue for so long that the server may have lost patience.
  let hostWasAway: Bool

  /// The head of the answer, where all of it came before the attempt failed.
  let head: ResponseHead?

  init(
    _ code: ArgyleError.Code,
    _ reason: String,
    detail: String? = nil,
    mayHaveBeenReceived: Bool,
    wasRefused: Bool = false,
    keptConnectionWasDead: Bool = false,
    connectionWasSpoiled: Bool = false,
    hostWasAway: Bool = false,
    milliseconds: Int = 0,
    head: ResponseHead? = nil
  ) {
    self.code = code
    self.reason = reason
    self.detail = detail
    self.mayHaveBeenReceived = mayHaveBeenReceived
    self.wasRefused = wasRefused
    self.keptConnectionWasDead = keptConnectionWasDead
    self.connectionWasSpoiled = connectionWasSpoiled
    self.hostWasAway = hostWasAway
    self.milliseconds = milliseconds
    self.head = head
  }

  /// Whether another attempt may do better.
  var isTransient: Bool { code == .connection || code == .timeout }
}
