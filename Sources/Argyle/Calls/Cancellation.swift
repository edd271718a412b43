import CPlatform
import Support

/// Cancels blocking calls from another thread: those of clients created with it.
///
/// It cannot be reset. Any thread may use it at any time.
public final class Cancellation: @unchecked Sendable {
  // Unchecked: mutable state is accessed only under the lock.
  private let lock = Lock()
  private let mark = ProcessMark()
  private var wasCancelled = false
  private let descriptor: Int32
  private let identity: FileIdentity?

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
    identity = FileIdentity(descriptor)
  }

  /// The descriptor, readable once cancelled; nil if the host closed it, as its number may be reused.
  var openDescriptor: Int32? {
    identity != nil && FileIdentity(descriptor) == identity ? descriptor : nil
  }

  /// Creates a cancellation.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/internal`` if file descriptors ran out.
  public convenience init() throws(ArgyleError) {
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw ArgyleError(.internal, "out of file descriptors") }
    self.init(descriptor)
  }

  deinit {
    if let openDescriptor { close(openDescriptor) }
  }

  /// Cancels calls in progress at once, and later calls before they start.
  ///
  /// Does nothing in a forked child, because the calls are the parent's.
  public func cancel() {
    guard mark.isOfThisProcess else { return }
    lock.withLock { wasCancelled = true }
    if let openDescriptor { eventfd_write(openDescriptor, 1) }
  }

  var isCancelled: Bool { lock.withLock { wasCancelled } }
}
