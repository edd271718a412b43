import CPlatform

/// Identity of an open file, to detect that a descriptor was closed and its number reused.
///
/// Anonymous files, such as those of eventfd and epoll, are all the same to the kernel.
package struct FileIdentity: Equatable {
  private let device: UInt64
  private let number: UInt64

  /// Reads a descriptor's identity; returns nil if it is not open.
  package init?(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}
