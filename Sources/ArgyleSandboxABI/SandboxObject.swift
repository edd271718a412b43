import ArgyleSandbox
import CPlatform
import Support

/// The object behind an `argyle_sandbox`: the server and its URL, which C borrows.
final class SandboxObject {
  let url: CText
  private let server: SandboxServer
  /// The process that runs the server's threads; a forked child has none of them.
  private let process = getpid()

  init(_ server: SandboxServer) {
    self.server = server
    url = CText(server.url)
  }

  deinit {
    // In a forked child the server is leaked: stopping it would wait for a thread that does not exist there, and
    // closing the database could modify the parent's file.
    if process != getpid() { _ = Unmanaged.passRetained(server) }
  }

  func stop() {
    if process == getpid() { server.stop() }
  }
}
