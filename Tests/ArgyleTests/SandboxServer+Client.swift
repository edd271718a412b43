import Argyle
import ArgyleSandbox

extension SandboxServer {
  /// Starts a sandbox with these faults, and creates a client for it.
  static func withClient(faults: [String] = []) throws -> (SandboxServer, Client) {
    var options = SandboxOptions()
    options.keyID = "id"
    options.keySecret = "canary"
    options.faults = faults
    let sandbox = try SandboxServer(options)
    return (sandbox, try Client(keyID: "id", keySecret: "canary", baseURL: sandbox.url).patient)
  }
}
