import Support

/// The certificate by which a client shows who it is.
package struct ClientCertificate: Sendable {
  let file: String
  /// Where the key is, unless it is in the same file.
  let keyFile: String?
  package let password: Secret?

  /// Checks options; nil where no certificate is given.
  package init?(file: String?, keyFile: String?, password: Secret?) throws(SettingError) {
    let keyFile = try RegularFile.check("client_key_file", keyFile)
    guard let file = try RegularFile.check("client_certificate_file", file) else {
      guard keyFile == nil, password == nil else {
        throw .invalid("client_key_file and client_key_password need client_certificate_file")
      }
      return nil
    }
    if let password, password.withUTF8({ $0.contains(0) }) {
      throw .invalid("client_key_password must not contain a NUL character")
    }
    self.file = file
    self.keyFile = keyFile
    self.password = password
  }
}
