import Support
import Transport

/// A client: API key, server and limits, with a connection pool.
///
/// Any number of threads may use a client at once. A client created before `fork` fails in the child with
/// ``ArgyleError/Code/forked``.
public final class Client: Sendable {
  private let options: ClientOptions
  let calls: CallSetup
  let runner: CallRunner

  /// Creates a client without opening a connection.
  ///
  /// - Parameter options: the key, the server and the limits.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the broken rule, or with
  ///   ``ArgyleError/Code/internal`` if libcurl is too old.
  public convenience init(_ options: ClientOptions) throws(ArgyleError) {
    if let reason = Libcurl.initialize() { throw ArgyleError(.internal, reason) }
    let settings = try Client.settings(options)
    let calls = CallSetup(settings, Client.limiter(options), RetryBudget(), nil)
    self.init(options, calls, CallRunner(pool: ConnectionPool()))
  }

  private init(_ options: ClientOptions, _ calls: CallSetup, _ runner: CallRunner) {
    self.options = options
    self.calls = calls
    self.runner = runner
  }

  private static func settings(_ options: ClientOptions) throws(ArgyleError) -> ClientSettings {
    try ArgyleError.wrapping { () throws(OptionError) in try ClientSettings(options) }
  }

  private static func limiter(_ options: ClientOptions) -> RateLimiter? {
    options.maxRequestsPerSecond.map { RateLimiter(requestsPerSecond: $0) }
  }

  /// Creates a client for one of Argyle's environments.
  ///
  /// - Parameters:
  ///   - keyID: the API key's id.
  ///   - keySecret: the API key's secret.
  ///   - environment: the server.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the broken rule.
  public convenience init(
    keyID: String,
    keySecret: String,
    environment: Environment = .production
  ) throws(ArgyleError) {
    try self.init(ClientOptions(keyID: keyID, keySecret: keySecret, environment: environment))
  }

  /// Creates a client for another server, such as the sandbox.
  ///
  /// - Parameters:
  ///   - keyID: the API key's id.
  ///   - keySecret: the API key's secret.
  ///   - baseURL: as for ``Environment/custom(baseURL:)``.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the broken rule.
  public convenience init(
    keyID: String,
    keySecret: String,
    baseURL: String
  ) throws(ArgyleError) {
    try self.init(keyID: keyID, keySecret: keySecret, environment: .custom(baseURL: baseURL))
  }

  /// Creates a client with some options changed that shares this client's connections.
  ///
  /// This is cheap: use it to change the timeouts of a single call. The new client also shares the rate limit, unless
  /// ``ClientOptions/maxRequestsPerSecond`` is set, even to the same number.
  ///
  /// - Parameter change: changes a copy of this client's options.
  /// - Returns: the new client.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, or what `change` throws.
  public func with(
    _ change: (inout ClientOptions) throws(ArgyleError) -> Void
  ) throws(ArgyleError) -> Client {
    try runner.checkProcess()
    var options = options
    options.rateIsSet = false
    try change(&options)
    let settings = try Client.settings(options)
    // Assigning entirely new options does not set `rateIsSet`, so the rates are compared too.
    let sharesRateLimit =
      !options.rateIsSet && options.maxRequestsPerSecond == self.options.maxRequestsPerSecond
    let limiter = sharesRateLimit ? calls.limiter : Client.limiter(options)
    return Client(options, CallSetup(settings, limiter, calls.retryBudget, calls.log), runner)
  }

  /// Creates a client whose blocking calls ask a function whether to go on after a signal.
  package func with(_ interruption: Interruption?) throws(ArgyleError) -> Client {
    var stopSources = runner.stopSources
    stopSources.interruption = interruption
    return try with(stopSources)
  }

  /// Creates a client whose blocking calls can be cancelled from another thread.
  ///
  /// - Parameter cancellation: cancels the calls; nil for none.
  /// - Returns: the new client, which shares this client's connections.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked``.
  public func with(_ cancellation: Cancellation?) throws(ArgyleError) -> Client {
    var stopSources = runner.stopSources
    stopSources.cancellation = cancellation
    return try with(stopSources)
  }

  private func with(_ stopSources: StopSources) throws(ArgyleError) -> Client {
    try runner.checkProcess()
    return Client(options, calls, CallRunner(pool: runner.pool, stopSources: stopSources))
  }

  /// Creates a client that logs its calls.
  ///
  /// - Parameter log: receives each record, on the thread that waits for the call or drives its queue; nil for no log.
  ///   It may use any client, but not the queue or cursor whose call the record is about.
  /// - Returns: the new client, which shares this client's connections.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked``.
  public func with(
    log: (@Sendable (LogRecord) -> Void)?
  ) throws(ArgyleError) -> Client {
    try runner.checkProcess()
    let log = log.map { CallLog($0) }
    let calls = CallSetup(calls.settings, calls.limiter, calls.retryBudget, log)
    return Client(options, calls, runner)
  }

  /// The version of the API that the client uses.
  package var apiVersion: APIVersion { calls.settings.apiVersion }

  /// The operations on users.
  public var users: Users { Users(client: self) }

  /// The operations on user tokens.
  public var userTokens: UserTokens { UserTokens(client: self) }
}

// MARK: - Description

extension Client: CustomStringConvertible {
  /// Only the type's name, never the key.
  public var description: String { "Client" }
}

#if !hasFeature(Embedded)
  extension Client: CustomReflectable {
    /// Empty, so that no dump shows the key.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
