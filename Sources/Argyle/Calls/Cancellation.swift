import CPlatform
import Support

/// Ends blocking calls from another thread: those of clients that were made with it.
///
/// Once cancelled it stays so. Any thread may use it at any time.
public final class Cancellation: @unchecked Sendable {
  // Unchecked: what changes is touched under the lock only.
  private let lock = Lock()
  private let mark = ProcessMark()
  private var hasCome = false
  private let descriptor: Int32
  private let identity: FileIdentity?

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
    identity = FileIdentity(descriptor)
  }

  /// What is readable once it has come; nil where the program has closed it, so that it may stand for something else.
  var openDescriptor: Int32? {
    identity != nil && FileIdentity(descriptor) == identity ? descriptor : nil
  }

  /// Makes one.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/internal`` where the process may have no more descriptors.
  public convenience init() throws(ArgyleError) {
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw ArgyleError(.internal, "file descriptors ran out") }
    self.init(descriptor)
  }

  deinit {
    if let openDescriptor { close(openDescriptor) }
  }

  /// Ends the calls at once, and each later one before it begins.
  ///
  /// In a forked child it does nothing, for the calls are the parent's.
  public func cancel() {
    guard mark.isOfThisProcess else { return }
    lock.withLock { hasCome = true }
    if let openDescriptor { eventfd_write(openDescriptor, 1) }
  }

  /// Whether the calls are to end.
  var isCancelled: Bool { lock.withLock { hasCome } }
}
