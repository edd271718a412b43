import CPlatform

/// Tells whether this is the process that made it, and not a fork of that.
///
/// It is asked at each use of a handle, so it costs no system call: a page of memory that the kernel empties in a
/// forked child says it. macOS has the same by `minherit(2)`. Where the kernel has not, the process's id is compared.
package final class ProcessMark: @unchecked Sendable {
  // Unchecked: nothing changes after the initialiser but by a fork.
  private let page: UnsafeMutablePointer<Int32>?
  private let processID = getpid()

  package init() {
    page = argyle_fork_page()?.assumingMemoryBound(to: Int32.self)
    page?.pointee = processID
  }

  deinit {
    if let page { argyle_fork_page_free(page) }
  }

  /// Whether this is the process that made the mark.
  package var isOfThisProcess: Bool { (page?.pointee ?? getpid()) == processID }
}
