import Support

/// A local HTTP server that behaves like Argyle's users API, versions 1 and 2.
///
/// It runs from its creation until `stop()` or its release. It prints nothing, and its threads handle no signals.
public final class SandboxServer: @unchecked Sendable {
  /// The version of the sandbox.
  public static var version: String {
    staticVersion.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
  }

  /// The version as a constant for C to borrow.
  package static let staticVersion = LibraryVersion.text

  /// The version as a number that increases with it: major << 16 | minor << 8 | patch.
  package static let versionNumber = LibraryVersion.number

  /// The TCP port that the server listens on.
  public let port: UInt16

  /// The server's URL, without a trailing slash.
  public let url: String

  private let lock = Lock()
  private var server: HTTPServer?

  /// Opens the database and starts the server.
  public convenience init(_ options: SandboxOptions) throws(SandboxError) {
    try options.validate()
    // The port comes first, so that one in use leaves no new database file behind.
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

  /// Stores its parts; it does not throw, because Embedded Swift leaks an object whose own initialiser throws.
  private init(port: UInt16, url: String, server: HTTPServer) {
    self.port = port
    self.url = url
    self.server = server
  }

  deinit { stop() }

  /// Stops accepting connections, finishes requests in flight and closes the database.
  ///
  /// After five seconds, unfinished requests are aborted: one that the database is still processing is rolled back,
  /// and one that was not started is never carried out. Stopping again does nothing.
  public func stop() {
    lock.withLock {
      server?.stop()
      // This is the last reference to the store, which closes the database when it is released.
      server = nil
    }
  }
}
