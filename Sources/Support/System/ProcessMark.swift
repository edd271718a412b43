import CPlatform

/// Detects whether the process has forked since the mark was created.
///
/// It is checked at each use of a handle, so it makes no system call: it uses a memory page that the kernel clears in a
/// forked child. macOS offers the same with `minherit(2)`. If the kernel does not support it, process ids are compared.
package final class ProcessMark: @unchecked Sendable {
  // Unchecked: nothing changes after the initialiser except by a fork.
  private let page: UnsafeMutablePointer<Int32>?
  private let processID = getpid()

  package init() {
    page = argyle_fork_page()?.assumingMemoryBound(to: Int32.self)
    page?.pointee = processID
  }

  deinit {
    if let page { argyle_fork_page_free(page) }
  }

  /// Whether this is the process that created the mark.
  package var isOfThisProcess: Bool { (page?.pointee ?? getpid()) == processID }
}
