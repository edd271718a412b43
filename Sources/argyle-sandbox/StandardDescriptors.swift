import ArgyleSandbox
import CPlatform

/// The descriptors 0 to 2, which whoever starts the program may have closed.
enum StandardDescriptors {
  /// Opens /dev/null in place of those that are closed.
  ///
  /// Otherwise the first socket and files would become them, and receive what is printed.
  static func fill() throws(SandboxError) {
    for descriptor in STDIN_FILENO...STDERR_FILENO where argyle_is_closed(descriptor) {
      // The lowest free number, which is this one.
      if argyle_open("/dev/null", O_RDWR, 0) < 0 {
        throw .file("'/dev/null': \(String(cString: strerror(__errno_location().pointee)))")
      }
    }
  }
}
