import CPlatform

/// The program's name and arguments as C's argv, for getopt_long.
///
/// Embedded Swift has no `CommandLine` and drops the arguments of `main`, so they are read from the kernel.
struct ArgumentVector: ~Copyable {
  /// The strings, which may be permuted, and a null pointer.
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  let count: Int32

  /// Reads the arguments; returns nil if the system does not provide them.
  init?() {
    guard let bytes = Self.read(), bytes.last == 0 else { return nil }
    let strings = bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false)
    pointers = .allocate(capacity: strings.count + 1)
    for (index, string) in strings.enumerated() {
      pointers[index] = strdup(string.map { CChar(bitPattern: $0) } + [0])
    }
    pointers[strings.count] = nil
    count = Int32(clamping: strings.count)
  }

  deinit {
    for index in 0..<Int(count) { free(pointers[index]) }
    pointers.deallocate()
  }

  private static func read() -> [UInt8]? {
    guard let file = fopen("/proc/self/cmdline", "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk.prefix(count))
    }
  }
}
