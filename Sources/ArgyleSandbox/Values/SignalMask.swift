import CPlatform

/// The set of signals that a thread blocks.
struct SignalMask {
  private var signals = sigset_t()

  /// Blocks all signals of the calling thread except those raised by its own faults; returns the previous mask.
  ///
  /// Threads created now inherit the mask, so signals for the process go to the host's threads.
  static func blockAll() -> SignalMask {
    var all = sigset_t()
    sigfillset(&all)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS] { sigdelset(&all, fault) }
    var before = SignalMask()
    pthread_sigmask(SIG_BLOCK, &all, &before.signals)
    return before
  }

  /// Sets the mask of the calling thread.
  func apply() {
    var signals = signals
    pthread_sigmask(SIG_SETMASK, &signals, nil)
  }
}
