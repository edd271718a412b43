/// How an HTTP server is to run.
struct HTTPSettings {
  /// How long a client may take for each of its part: to begin a request, to send it, to take the answer.
  let timeoutSeconds: Int

  /// What it proves itself with, for HTTPS; nil for HTTP.
  let identity: TLSIdentity?

  let log: AccessLog?

  var scheme: String { identity == nil ? "http" : "https" }
}
