import Argyle

extension Client {
  /// A client like this one whose timeouts only a hang reaches, however busy the machine is.
  var patient: Client {
    get throws {
      try with {
        $0.timeout = .seconds(3600)
        $0.connectTimeout = .seconds(3600)
      }
    }
  }
}
