import Support

/// Settings shared by all transfers of a client.
///
/// A class: an easy handle compares its identity to know what it is configured for.
package final class TransferSettings: Sendable {
  package let headers: RequestHeaders
  package let baseURL: BaseURL
  let connectTimeoutMilliseconds: Int
  let maxResponseBytes: Int
  /// Whether to record when bytes are sent or received: reading the clock takes time.
  let tracksProgress: Bool
  let caFile: String?
  let proxy: String?
  let clientCertificate: ClientCertificate?
  package let userAgent: String

  package init(
    headers: RequestHeaders,
    baseURL: BaseURL,
    connectTimeoutMilliseconds: Int,
    maxResponseBytes: Int,
    tracksProgress: Bool,
    caFile: String?,
    proxy: Proxy?,
    clientCertificate: ClientCertificate?,
    userAgent: String
  ) {
    self.headers = headers
    self.baseURL = baseURL
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.maxResponseBytes = maxResponseBytes
    self.tracksProgress = tracksProgress
    self.caFile = caFile
    self.proxy = proxy?.url
    self.clientCertificate = clientCertificate
    self.userAgent = userAgent
  }

  /// The option for a TLS file that is no longer a regular file; nil if all are.
  var irregularFile: String? {
    guard baseURL.isSecure else { return nil }
    let files = [
      ("ca_file", caFile),
      ("client_certificate_file", clientCertificate?.file),
      ("client_key_file", clientCertificate?.keyFile),
    ]
    for case (let name, let file?) in files where RegularFile.isRegular(file) == false {
      return name
    }
    return nil
  }
}
