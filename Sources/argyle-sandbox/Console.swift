import CPlatform

/// Writes lines unbuffered, because other programs wait for them.
enum Console {
  static func print(_ line: String) {
    write(line, to: STDOUT_FILENO)
  }

  static func printError(_ line: String) {
    write(line, to: STDERR_FILENO)
  }

  private static func write(_ line: String, to descriptor: Int32) {
    let bytes = Array("\(line)\n".utf8)
    var written = 0
    while written < bytes.count {
      let result = bytes[written...].withUnsafeBytes {
        CPlatform.write(descriptor, $0.baseAddress, $0.count)
      }
      // The reader is gone, and there is nowhere to report it.
      if result < 0 { return }
      written += result
    }
  }
}
