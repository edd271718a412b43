import Support

/// A local HTTP server that answers as Argyle's v1 users API does.
///
/// It serves from the moment it is made until `stop()` or the end of its life. It prints nothing, and its
/// threads take no signals.
public final class SandboxServer: @unchecked Sendable {
  /// The version of the sandbox.
  public static var version: String {
    staticVersion.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
  }

  /// The version as a constant that C may borrow.
  package static let staticVersion = LibraryVersion.text

  /// The version as a number that grows: major << 16 | minor << 8 | patch.
  package static let versionNumber = LibraryVersion.number

  /// The TCP port that it listens on.
  public let port: UInt16

  /// Where it is reached, without a slash at the end.
  public let url: String

  private let lock = Lock()
  private var server: HTTPServer?

  /// Opens the database and begins to serve.
  public convenience init(_ options: SandboxOptions) throws(SandboxError) {
    try options.validate()
    // The port comes first, so that a taken one leaves no new database file behind.
    let socket = try ListeningSocket(port: options.port)
    let settings = HTTPSettings(
      timeoutSeconds: options.timeoutSeconds,
      identity: try options.identity(),
      log: try options.accessLog()
    )
    let site = try Site(options)
    let port = socket.port
    let url = "\(settings.scheme)://127.0.0.1:\(port)"
    // The server's threads inherit the mask.
    let mask = SignalMask.blockAll()
    defer { mask.apply() }
    let server = try HTTPServer(
      socket: socket,
      settings: settings,
      handler: { request in site.respond(to: request) },
      interrupt: { site.interrupt() }
    )
    self.init(port: port, url: url, server: server)
  }

  /// Takes what is ready: in Embedded Swift, an object whose own initializer throws is leaked.
  private init(port: UInt16, url: String, server: HTTPServer) {
    self.port = port
    self.url = url
    self.server = server
  }

  deinit { stop() }

  /// Takes no more connections, finishes the requests in flight, and closes the database.
  ///
  /// Requests that are not finished after five seconds are cut: one that the database is still at work on is
  /// undone, and one that was not begun with is never carried out. Stopping again does nothing.
  public func stop() {
    lock.withLock {
      server?.stop()
      // The last reference to the store, whose end closes the database.
      server = nil
    }
  }
}
