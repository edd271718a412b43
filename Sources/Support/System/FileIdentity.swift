import CPlatform

/// What a descriptor stands for, to notice that it was closed and its number given to something else.
///
/// Anonymous ones, such as those of events and of epoll, are all the same to the kernel.
package struct FileIdentity: Equatable {
  private let device: UInt64
  private let number: UInt64

  /// Looks at a descriptor; nil where it is not open.
  package init?(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}
