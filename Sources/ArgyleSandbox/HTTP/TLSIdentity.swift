import CMicrohttpd

/// A certificate and its private key, both as NUL-terminated PEM.
struct TLSIdentity {
  let certificate: Bytes
  let key: Bytes

  init(certificate: String, key: String) throws(SandboxError) {
    self.certificate = try readFile(certificate, "certificate") + [0]
    self.key = try readFile(key, "certificate key") + [0]
    // Checked before anything is started. libmicrohttpd does not report what is wrong.
    guard argyle_mhd_accepts(self.certificate, self.key) != 0 else {
      throw .file(
        "certificate and key cannot be used: both must be PEM, and the key must match the certificate"
      )
    }
  }
}
