import Support
import Transport

/// An API key, a server and limits, with the connections that are kept for them.
///
/// Any number of threads may use a client at once. A client made before `fork` answers in the child with
/// ``ArgyleError/Code/forked``.
public final class Client: Sendable {
  private let options: ClientOptions
  let settings: ClientSettings
  let pool: ConnectionPool
  /// The pace of the requests; nil where it is not limited.
  let limiter: RateLimiter?
  /// How many attempts may still be repeated.
  let retryBudget: RetryBudget
  /// What may end a blocking call.
  private let ends: WaitEnds
  /// Where it is told what happens to calls; nil: nowhere.
  let log: CallLog?

  /// Makes a client, which opens no connection yet.
  ///
  /// - Parameter options: the key, the server and the limits.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the rule that it breaks, or
  ///   with ``ArgyleError/Code/internal`` where libcurl is too old.
  public convenience init(_ options: ClientOptions) throws(ArgyleError) {
    if let reason = Libcurl.initialize() { throw ArgyleError(.internal, reason) }
    let settings = try Client.settings(options)
    self.init(
      options,
      settings,
      ConnectionPool(),
      Client.limiter(options),
      RetryBudget(),
      WaitEnds(),
      nil
    )
  }

  private init(
    _ options: ClientOptions,
    _ settings: ClientSettings,
    _ pool: ConnectionPool,
    _ limiter: RateLimiter?,
    _ retryBudget: RetryBudget,
    _ ends: WaitEnds,
    _ log: CallLog?
  ) {
    self.options = options
    self.settings = settings
    self.pool = pool
    self.limiter = limiter
    self.retryBudget = retryBudget
    self.ends = ends
    self.log = log
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
    try checkProcess()
    var options = options
    options.paceIsSet = false
    try change(&options)
    let settings = try Client.settings(options)
    // Options that take the place of all others need not set a pace to have none.
    let isPaceShared =
      !options.paceIsSet && options.maxRequestsPerSecond == self.options.maxRequestsPerSecond
    let limiter = isPaceShared ? limiter : Client.limiter(options)
    return Client(options, settings, pool, limiter, retryBudget, ends, log)
  }

  /// Makes a client like this one whose blocking calls ask whether to go on when a signal interrupts them.
  package func with(_ interruption: Interruption?) throws(ArgyleError) -> Client {
    var ends = ends
    ends.interruption = interruption
    return try with(ends)
  }

  /// Makes a client like this one whose blocking calls can be ended from another thread.
  ///
  /// - Parameter cancellation: what ends them; nil: nothing does.
  /// - Returns: the other client, which shares this one's connections.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked``.
  public func with(_ cancellation: Cancellation?) throws(ArgyleError) -> Client {
    var ends = ends
    ends.cancellation = cancellation
    return try with(ends)
  }

  private func with(_ ends: WaitEnds) throws(ArgyleError) -> Client {
    try checkProcess()
    return Client(options, settings, pool, limiter, retryBudget, ends, log)
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
    try checkProcess()
    let log = log.map { CallLog($0) }
    return Client(options, settings, pool, limiter, retryBudget, ends, log)
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

// MARK: - Calls

extension Client {
  /// Waits until a call is over.
  func run(_ call: Call) throws(ArgyleError) {
    try checkProcess()
    let queue = try pool.take()
    defer { pool.giveBack(queue) }
    try run(call, queue)
  }

  /// Waits until a call is over that a queue of its own holds, or is to hold.
  func run(_ call: Call, _ queue: CallQueue) throws(ArgyleError) {
    if call.queue == nil { try queue.submit(call) }
    do {
      try queue.wait(milliseconds: nil, ends)
    } catch {
      // A queue that breaks has ended its calls, each of which tells more than the queue.
      if !call.isFinished { throw error }
    }
    // The host may have forked in a callback.
    try checkProcess()
    _ = queue.next()
  }

  /// What every message about a request begins with, and what none may show.
  func context(for request: Request) -> CallContext {
    CallContext(request, authority: settings.transfer.baseURL.authority, secrets: settings.secrets)
  }

  /// Refuses to go on in a forked child, whose copies of the connections are the parent's.
  func checkProcess() throws(ArgyleError) {
    guard pool.belongsToThisProcess else {
      throw ArgyleError(
        .forked,
        "the client was made in the parent process; make a new one after fork()"
      )
    }
  }
}
