import CPlatform

/// Reads a small file; `role` describes it in the error.
func readFile(_ path: String, _ role: String) throws(SandboxError) -> Bytes {
  guard let file = fopen(path, "re") else {
    let reason = String(cString: strerror(__errno_location().pointee))
    throw .file("\(role) '\(path)': \(reason)")
  }
  defer { fclose(file) }
  // Far more than a certificate chain needs; it bounds endless files.
  var bytes = Bytes(repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  if ferror(file) != 0 { throw .file("\(role) '\(path)' cannot be read") }
  return Bytes(bytes.prefix(count))
}
