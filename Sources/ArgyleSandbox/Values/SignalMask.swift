import CPlatform

/// The signals that a thread does not take.
struct SignalMask {
  private var signals = sigset_t()

  /// Blocks every signal of the calling thread but those that a fault of its own raises; gives what was
  /// blocked before.
  ///
  /// A thread that is made now has the same mask: signals for the process go to the host's threads.
  static func blockAll() -> SignalMask {
    var all = sigset_t()
    sigfillset(&all)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS] { sigdelset(&all, fault) }
    var before = SignalMask()
    pthread_sigmask(SIG_BLOCK, &all, &before.signals)
    return before
  }

  /// Makes it the mask of the calling thread.
  func apply() {
    var signals = signals
    pthread_sigmask(SIG_SETMASK, &signals, nil)
  }
}
