import CPlatform
import Interop

/// Ends blocking calls from another thread: those of clients that were made with it.
///
/// Once cancelled it stays so. Any thread may use it at any time.
public final class Cancellation: @unchecked Sendable {
  // Unchecked: what changes is touched under the lock only.
  private let lock = Lock()
  private let mark = ProcessMark()
  private var hasCome = false
  /// Readable once it has come.
  let descriptor: Int32

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
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
    close(descriptor)
  }

  /// Ends the calls at once, and each later one before it begins.
  ///
  /// In a forked child it does nothing, for the calls are the parent's.
  public func cancel() {
    guard mark.isOfThisProcess else { return }
    lock.withLock { hasCome = true }
    eventfd_write(descriptor, 1)
  }

  /// Whether the calls are to end.
  var isCancelled: Bool { lock.withLock { hasCome } }
}
