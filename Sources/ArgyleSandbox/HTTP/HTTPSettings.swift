/// Settings of an HTTP server.
struct HTTPSettings {
  /// Timeout for each step of a client: starting a request, sending it, reading the response.
  let timeoutSeconds: Int

  /// Certificate and key for HTTPS; nil for HTTP.
  let identity: TLSIdentity?

  let log: AccessLog?

  var scheme: String { identity == nil ? "http" : "https" }
}
