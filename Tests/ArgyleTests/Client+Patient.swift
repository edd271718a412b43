import Argyle

extension Client {
  /// This client with timeouts that are reached only if something hangs, however busy the machine is.
  var patient: Client {
    get throws {
      try with {
        $0.timeout = .seconds(3600)
        $0.connectTimeout = .seconds(3600)
      }
    }
  }
}
