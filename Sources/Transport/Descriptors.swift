import CPlatform

/// Checks whether the process can open file descriptors.
enum Descriptors {
  /// Error message for a lack of descriptors.
  static let reason = "out of file descriptors"

  /// Whether `errno` means that the process or the system has reached its limit of descriptors.
  static var areExhausted: Bool {
    let number = __errno_location().pointee
    return number == EMFILE || number == ENFILE
  }

  /// Whether `count` more descriptors can be opened now.
  static func canOpen(_ count: Int) -> Bool {
    guard count > 0 else { return true }
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC))
    guard descriptor >= 0 else { return !areExhausted }
    defer { close(descriptor) }
    return canOpen(count - 1)
  }
}
