import Support
import Transport

/// An API key, a server and limits, with the connections that are kept for them.
///
/// Any number of threads may use a client at once. A client made before `fork` answers in the child with
/// ``ArgyleError/Code/forked``.
public final class Client: Sendable {
  private let options: ClientOptions
  let calls: CallSetup
  let runner: CallRunner

  /// Makes a client, which opens no connection yet.
  ///
  /// - Parameter options: the key, the server and the limits.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the rule that it breaks, or
  ///   with ``ArgyleError/Code/internal`` where libcurl is too old.
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
    try ArgyleError.ofOptions { () throws(OptionError) in try ClientSettings(options) }
  }

  private static func limiter(_ options: ClientOptions) -> RateLimiter? {
    options.maxRequestsPerSecond.map { RateLimiter(requestsPerSecond: $0) }
  }

  /// Makes a client for one of Argyle's environments.
  ///
  /// - Parameters:
  ///   - keyID: the API key's id.
  ///   - keySecret: the API key's secret.
  ///   - environment: the server.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the rule that it breaks.
  public convenience init(
    keyID: String,
    keySecret: String,
    environment: Environment = .production
  ) throws(ArgyleError) {
    try self.init(ClientOptions(keyID: keyID, keySecret: keySecret, environment: environment))
  }

  /// Makes a client for a server of another address, such as the sandbox's.
  ///
  /// - Parameters:
  ///   - keyID: the API key's id.
  ///   - keySecret: the API key's secret.
  ///   - baseURL: as for ``Environment/custom(baseURL:)``.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the rule that it breaks.
  public convenience init(
    keyID: String,
    keySecret: String,
    baseURL: String
  ) throws(ArgyleError) {
    try self.init(keyID: keyID, keySecret: keySecret, environment: .custom(baseURL: baseURL))
  }

  /// Makes a client like this one, with some options changed, that shares its connections.
  ///
  /// It is cheap: make one for the time-outs of a single call. It also shares the rate limit, unless
  /// ``ClientOptions/maxRequestsPerSecond`` is set, even if it is to the same number.
  ///
  /// - Parameter change: changes a copy of this client's options.
  /// - Returns: the other client.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, or what the body throws.
  public func with(
    _ change: (inout ClientOptions) throws(ArgyleError) -> Void
  ) throws(ArgyleError) -> Client {
    try runner.checkProcess()
    var options = options
    options.rateIsSet = false
    try change(&options)
    let settings = try Client.settings(options)
    // Options that take the place of all others need not set a pace to have none.
    let sharesRateLimit =
      !options.rateIsSet && options.maxRequestsPerSecond == self.options.maxRequestsPerSecond
    let limiter = sharesRateLimit ? calls.limiter : Client.limiter(options)
    return Client(options, CallSetup(settings, limiter, calls.retryBudget, calls.log), runner)
  }

  /// Makes a client like this one whose blocking calls ask whether to go on when a signal interrupts them.
  package func with(_ interruption: Interruption?) throws(ArgyleError) -> Client {
    var stopSources = runner.stopSources
    stopSources.interruption = interruption
    return try with(stopSources)
  }

  /// Makes a client like this one whose blocking calls can be ended from another thread.
  ///
  /// - Parameter cancellation: what ends them; nil: nothing does.
  /// - Returns: the other client, which shares this one's connections.
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

  /// Makes a client like this one that tells what happens to its calls.
  ///
  /// - Parameter log: takes each record, on the thread that waits for the call or drives its queue; nil: nothing is
  ///   told. It may use any client, but not the queue or cursor whose call it is told of.
  /// - Returns: the other client, which shares this one's connections.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked``.
  public func with(
    log: (@Sendable (LogRecord) -> Void)?
  ) throws(ArgyleError) -> Client {
    try runner.checkProcess()
    let log = log.map { CallLog($0) }
    let calls = CallSetup(calls.settings, calls.limiter, calls.retryBudget, log)
    return Client(options, calls, runner)
  }

  /// The operations on users.
  public var users: Users { Users(client: self) }

  /// The operations on user tokens.
  public var userTokens: UserTokens { UserTokens(client: self) }
}

// MARK: - Description

extension Client: CustomStringConvertible {
  /// The type's name alone: never the key.
  public var description: String { "Client" }
}

#if !hasFeature(Embedded)
  extension Client: CustomReflectable {
    /// Nothing, so that no dump shows the key.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
