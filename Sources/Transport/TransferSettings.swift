import Support

/// What all transfers of a client have in common.
///
/// An object, by whose identity an easy handle knows what it is set up for.
package final class TransferSettings: Sendable {
  package let headers: RequestHeaders
  package let baseURL: BaseURL
  let connectTimeoutMilliseconds: Int
  let maxResponseBytes: Int
  /// Whether somebody asks when a byte last came or went, for looking at the clock takes time.
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

  /// The option of a file, needed for a secure connection, that is not a regular one any more; nil: none is.
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
