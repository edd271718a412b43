/// A certificate and its private key, in PEM.
struct TLSIdentity {
  let certificate: Bytes
  let key: Bytes

  init(certificate: String, key: String) throws(SandboxError) {
    self.certificate = try readFile(certificate, "certificate")
    self.key = try readFile(key, "certificate key")
  }
}
