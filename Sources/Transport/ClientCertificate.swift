import Support

/// The certificate by which a client shows who it is.
package struct ClientCertificate: Sendable {
  let file: String
  /// Where the key is, unless it is in the same file.
  let keyFile: String?
  package let password: Secret?

  package init(file: String, keyFile: String?, password: Secret?) {
    self.file = file
    self.keyFile = keyFile
    self.password = password
  }
}
