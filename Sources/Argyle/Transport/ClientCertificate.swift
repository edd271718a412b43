import Support

/// The certificate by which a client shows who it is.
struct ClientCertificate: Sendable {
  let file: String
  /// Where the key is, unless it is in the same file.
  let keyFile: String?
  let password: Secret?

  /// Checks options; nil where no certificate is given.
  init?(_ options: ClientOptions) throws(ArgyleError) {
    let keyFile = try TransferSettings.check("client_key_file", file: options.clientKeyFile)
    let password = options.keyPassword
    guard
      let file = try TransferSettings.check(
        "client_certificate_file",
        file: options.clientCertificateFile
      )
    else {
      guard keyFile == nil, password == nil else {
        throw ArgyleError(
          .argument,
          "client_key_file and client_key_password need client_certificate_file"
        )
      }
      return nil
    }
    if let password, password.withUTF8({ $0.contains(0) }) {
      throw ArgyleError(.argument, "client_key_password must not contain a NUL character")
    }
    self.file = file
    self.keyFile = keyFile
    self.password = password
  }
}
