import Support

/// A TLS client certificate.
package struct ClientCertificate: Sendable {
  let file: String
  /// The private key's file; nil if the key is in `file`.
  let keyFile: String?
  package let password: Secret?

  package init(file: String, keyFile: String?, password: Secret?) {
    self.file = file
    self.keyFile = keyFile
    self.password = password
  }
}
