import CPlatform

/// Whether the process can open descriptors.
enum Descriptors {
  /// What is said where it cannot.
  static let reason = "the process may open no more file descriptors"

  /// Whether the last system call failed because the process, or the system, may open no more.
  static var areExhausted: Bool {
    let number = __errno_location().pointee
    return number == EMFILE || number == ENFILE
  }

  /// Whether so many more can be opened now.
  static func canOpen(_ count: Int) -> Bool {
    guard count > 0 else { return true }
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC))
    guard descriptor >= 0 else { return !areExhausted }
    defer { close(descriptor) }
    return canOpen(count - 1)
  }
}
