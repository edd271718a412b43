/// A local HTTP server that answers as Argyle's v1 users API does.
///
/// It serves from the moment it is made until `stop()` or the end of its life. It prints nothing and
/// leaves signals alone.
public final class SandboxServer: @unchecked Sendable {
  /// The version of the sandbox.
  public static var version: String { "0.1.0" }

  /// The TCP port that it listens on.
  public let port: UInt16

  /// Where it is reached, without a slash at the end.
  public var url: String { "http://127.0.0.1:\(port)" }

  private let lock = Lock()
  private var server: HTTPServer?

  /// Opens the database and begins to serve.
  public convenience init(_ options: SandboxOptions) throws(SandboxError) {
    try options.validate()
    // The port comes first, so that a taken one leaves no new database file behind.
    let socket = try ListeningSocket(port: options.port)
    let api = API(
      credentials: BasicCredentials(keyID: options.keyID, keySecret: options.keySecret),
      users: try UserStore(Database(path: options.database)),
      tokens: TokenIssuer(key: options.keySecret)
    )
    let port = socket.port
    let server = try HTTPServer(socket: socket) { request in api.respond(to: request) }
    self.init(port: port, server: server)
  }

  /// Takes what is ready: in Embedded Swift, an object whose own initializer throws is leaked.
  private init(port: UInt16, server: HTTPServer) {
    self.port = port
    self.server = server
  }

  deinit { stop() }

  /// Takes no more connections, finishes the requests in flight, and closes the database.
  ///
  /// Requests that are not finished after five seconds are cut. Stopping again does nothing.
  public func stop() {
    lock.lock()
    defer { lock.unlock() }
    server?.stop()
    // The last reference to the store, whose end closes the database.
    server = nil
  }
}
