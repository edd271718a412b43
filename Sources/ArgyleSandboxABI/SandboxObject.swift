import ArgyleSandbox
import CPlatform
import Support

/// What an `argyle_sandbox` points to: the server, with its URL made once for C to borrow.
final class SandboxObject {
  let url: CText
  private let server: SandboxServer
  /// The process whose threads serve: a child that it forks has none of them.
  private let process = getpid()

  init(_ server: SandboxServer) {
    self.server = server
    url = CText(server.url)
  }

  deinit {
    // Stopping would wait for a thread that is not there, and closing the database could touch the
    // parent's file: in a child the server is let go of without its end.
    if process != getpid() { _ = Unmanaged.passRetained(server) }
  }

  func stop() {
    if process == getpid() { server.stop() }
  }
}
