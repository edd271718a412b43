import CPlatform

/// Reads a small file; the role is for the error.
func readFile(_ path: String, _ role: String) throws(SandboxError) -> Bytes {
  guard let file = fopen(path, "re") else {
    let reason = String(cString: strerror(__errno_location().pointee))
    throw .file("\(role) '\(path)': \(reason)")
  }
  defer { fclose(file) }
  // Far more than a chain of certificates takes, and an end for what has none.
  var bytes = Bytes(repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  if ferror(file) != 0 { throw .file("\(role) '\(path)' cannot be read") }
  return Bytes(bytes.prefix(count))
}
