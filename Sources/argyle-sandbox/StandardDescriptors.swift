import ArgyleSandbox
import CPlatform

/// Descriptors 0 to 2, which may be closed when the program starts.
enum StandardDescriptors {
  /// Opens /dev/null for each that is closed.
  ///
  /// Otherwise the first socket and files would get these numbers, and receive what is printed.
  static func fill() throws(SandboxError) {
    for descriptor in STDIN_FILENO...STDERR_FILENO where argyle_is_closed(descriptor) {
      // open() returns the lowest free number, which is this one.
      if argyle_open("/dev/null", O_RDWR, 0) < 0 {
        throw .file("'/dev/null': \(String(cString: strerror(__errno_location().pointee)))")
      }
    }
  }
}
