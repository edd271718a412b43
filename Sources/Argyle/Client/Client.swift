import CCurl
import CPlatform

/// An API key, a server and limits, with the connections that are kept for them.
///
/// Any number of threads may use a client at once. A client made before `fork` answers in the child with
/// ``ArgyleError/Code/forked``.
public final class Client: Sendable {
  private let options: ClientOptions
  private let settings: TransferSettings
  private let pool: ConnectionPool

  /// Makes a client, which opens no connection yet.
  ///
  /// - Parameter options: the key, the server and the limits.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, naming the option and the rule that it breaks.
  public convenience init(_ options: ClientOptions) throws(ArgyleError) {
    let settings = try TransferSettings(options)
    guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else {
      throw ArgyleError(.internal, "libcurl could not be initialised")
    }
    // libcurl resolves names on a thread that a call which timed out leaves behind: were libcurl unloaded with
    // this library, that thread would run into nothing.
    _ = argyle_pin_library(argyle_curl_address())
    self.init(options, settings, ConnectionPool())
  }

  private init(_ options: ClientOptions, _ settings: TransferSettings, _ pool: ConnectionPool) {
    self.options = options
    self.settings = settings
    self.pool = pool
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
  /// It is cheap: make one for the time-outs of a single call.
  ///
  /// - Parameter change: changes a copy of this client's options.
  /// - Returns: the other client.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, or what the body throws.
  public func with(
    _ change: (inout ClientOptions) throws(ArgyleError) -> Void
  ) throws(ArgyleError) -> Client {
    try checkProcess()
    var options = options
    try change(&options)
    return Client(options, try TransferSettings(options), pool)
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
  /// Carries out one operation and waits for its answer.
  func perform(_ operation: Operation) throws(ArgyleError) -> Answer {
    try checkProcess()
    let context = CallContext(
      try operation.request(),
      authority: settings.baseURL.authority,
      secrets: settings.secrets
    )
    var machine = CallMachine(context)
    var step = machine.handle(.started)
    while true {
      switch step {
      case .send(let timeSpent):
        step = machine.handle(pool.send(context.request, settings.after(milliseconds: timeSpent)))
      case .finish(let result): return try result.get()
      }
    }
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
