import Support
import Transport

/// Runs any number of calls concurrently on the calling thread.
///
/// Blocking functions and event loops both wait for calls here: this is the only place that carries out the steps of a
/// ``CallMachine``.
package final class CallQueue {
  /// Maximum time the descriptor stays silent during an attempt, in microseconds.
  ///
  /// A longer pause between two rounds is therefore the host's, not the server's.
  private static let tick: Int64 = 1_000_000
  /// How late a round may start before it counts as a pause of the host, in microseconds.
  private static let pauseTolerance: Int64 = 50_000
  /// Maximum time to read pending input once a deadline has passed, in microseconds.
  private static let maxReadTime: Int64 = 500_000
  /// Maximum number and duration, in microseconds, of consecutive rounds before yielding.
  private static let maxRounds = 64
  private static let maxRoundTime: Int64 = 100_000
  /// Interval between interrupt checks in a blocking call, in microseconds.
  ///
  /// A signal may arrive just before a wait, or on another thread of the program.
  private static let interruptCheckInterval: Int64 = 100_000

  private let maxInFlight: Int
  /// Whether a call's deadline includes its time in the backlog, as for a caller who waits for that call alone.
  private let deadlineIncludesQueueing: Bool
  private let multi: MultiHandle
  private let mark: ProcessMark

  /// Pending calls.
  private var backlog: Backlog
  /// Whether a call was submitted since the last round.
  private var hasSubmissions = false
  /// Calls with an attempt in flight or waiting for a retry.
  private var active: [Call] = []
  private var finished = FIFO<Call>()
  private var finishedCount = 0

  /// Lower bound for the next time at which an active call has something to do; may be too early.
  private var earliestDue = Int64.max
  /// Start and end of the last round.
  private var lastRound: Int64 = 0
  private var lastRoundEnd: Int64 = 0
  /// Time spent in the host's callbacks and not yet added to attempt deadlines, in microseconds.
  private var hostTime: Int64 = 0
  /// Whether the last round yielded with work left.
  private var isUnfinished = false
  /// Whether an attempt ran out of descriptors.
  ///
  /// A `CURLM *` that failed to open an IPv6 socket resolves only IPv4 addresses from then on.
  private var hasRunOutOfDescriptors = false
  /// Whether the host closed the descriptor.
  private(set) var isBroken = false
  /// What can stop the current blocking call, and when to check it next, in microseconds.
  private var stopSources = StopSources()
  private var nextInterruptCheck = Int64.max
  /// Whether the blocking call must end but its attempts are not cancelled yet.
  private var isStopping = false
  /// When libcurl started to read pending input; 0 before that.
  private var readStart: Int64 = 0

  private init(
    _ maxInFlight: Int,
    _ deadlineIncludesQueueing: Bool,
    _ multi: MultiHandle,
    _ mark: ProcessMark
  ) {
    self.maxInFlight = maxInFlight
    self.deadlineIncludesQueueing = deadlineIncludesQueueing
    backlog = Backlog(deadlineIncludesQueueing: deadlineIncludesQueueing)
    self.multi = multi
    self.mark = mark
    multi.shouldStop = { [unowned(unsafe) self] transfer in
      CallQueue.call(of: transfer).map { self.shouldStop($0) } ?? false
    }
  }

  private static func call(of transfer: EasyHandle) -> Call? {
    transfer.context.map { Unmanaged<Call>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Creates a queue; throws if memory or descriptors ran out.
  package static func make(maxInFlight: Int) throws(ArgyleError) -> CallQueue {
    try make(maxInFlight: maxInFlight, ProcessMark())
  }

  private static var resourceError: ArgyleError {
    ArgyleError(.internal, "out of memory or file descriptors")
  }

  /// Creates a queue that shares the process mark of its owner.
  static func make(
    maxInFlight: Int,
    deadlineIncludesQueueing: Bool = false,
    _ mark: ProcessMark
  ) throws(ArgyleError) -> CallQueue {
    guard let multi = MultiHandle.make(connections: maxInFlight, mark) else {
      throw resourceError
    }
    return CallQueue(maxInFlight, deadlineIncludesQueueing, multi, mark)
  }

  deinit {
    for call in calls {
      if case .running(let transfer, _) = call.state, isOfThisProcess {
        _ = multi.stop(transfer, .cancelled, "")
      }
      call.queue = nil
    }
  }

  /// Whether this is the process that created the queue, not a fork of it.
  var isOfThisProcess: Bool { mark.isOfThisProcess }

  /// Number of calls in the queue: pending, active and finished.
  package var count: Int { backlog.count + active.count + finishedCount }

  /// Number of finished calls that were not taken yet.
  package var readyCount: Int { finishedCount }

  /// All calls in the queue, in no particular order.
  package var calls: [Call] {
    backlog.calls + active + finished.remaining
  }
}

// MARK: - Submitting and taking calls

extension CallQueue {
  /// Submits a call, which starts with the next round.
  package func submit(_ call: Call) throws(ArgyleError) {
    try call.checkReady()
    try call.runner.checkProcess()
    try checkUsable()
    if hasRunOutOfDescriptors, active.isEmpty { hasRunOutOfDescriptors = !multi.renew() }
    call.times.submittedAt = MonotonicClock.now
    call.state = .waiting
    call.queue = self
    backlog.append(call)
    hasSubmissions = true
    updateWakeUp()
  }

  /// Takes the next finished call, in order of completion; nil if there is none.
  package func next() -> Call? {
    guard let call = finished.popFirst() else { return nil }
    call.queue = nil
    finishedCount -= 1
    if finishedCount == 0 { updateWakeUp() }
    return call
  }

  /// Cancels a call of this queue; does nothing if it is finished.
  package func cancel(_ call: Call) {
    cancel(call, CallQueue.cancelledReason)
    updateWakeUp()
  }

  /// Cancels all calls of this queue.
  package func cancelAll() {
    for call in calls { cancel(call, CallQueue.cancelledReason) }
    updateWakeUp()
  }

  /// Discards a call of this queue: cancels it and does not return it.
  package func discard(_ call: Call) {
    // A forked child leaves calls in flight to the parent.
    guard isOfThisProcess else {
      call.queue = nil
      return
    }
    call.isDiscarded = true
    cancel(call, CallQueue.cancelledReason)
    finished.remove(call.fifoNumber)
    finishedCount -= 1
    call.queue = nil
    updateWakeUp()
  }

  private func cancel(_ call: Call, _ reason: String) {
    switch call.state {
    case .ready, .finished: return
    case .waiting:
      backlog.remove(call)
      begin(call)
      step(call, .cancelled(TransferFailure(.cancelled, reason, mayHaveBeenReceived: false)))
    case .delayed:
      step(call, .cancelled(TransferFailure(.cancelled, reason, mayHaveBeenReceived: false)))
    case .running(let transfer, _): stop(call, transfer, .cancelled, reason)
    }
  }
}

// MARK: - Driving

extension CallQueue {
  /// Returns a descriptor that is readable whenever there is work to do.
  package func shareDescriptor() throws(ArgyleError) -> Int32 {
    try checkUsable()
    guard multi.poller.share() else { throw CallQueue.resourceError }
    updateWakeUp()
    return multi.poller.descriptor
  }

  /// Does everything that can be done without blocking.
  package func drive() throws(ArgyleError) {
    try checkUsable()
    _ = handlePause(since: expectedRound, longAfter: CallQueue.pauseTolerance)
    guard read(0) != .broken else { throw markBroken() }
    try round()
  }

  /// Blocks until a call is finished, the queue is empty, or the time has passed.
  ///
  /// - Parameters:
  ///   - milliseconds: the timeout; nil for no limit.
  ///   - stopSources: what can stop the wait and cancel all calls.
  /// - Throws: ``ArgyleError``; failures of calls are reported by the calls.
  func wait(milliseconds: Int?, _ stopSources: StopSources) throws(ArgyleError) {
    try checkUsable()
    var checksInterrupts = stopSources.interruption != nil
    if let cancellation = stopSources.cancellation {
      let isWatched = cancellation.openDescriptor.map { multi.poller.watch(cancellation: $0) }
      if isWatched != true { checksInterrupts = true }
      if cancellation.isCancelled { cancelAll() }
    }
    self.stopSources = stopSources
    defer {
      self.stopSources = StopSources()
      nextInterruptCheck = Int64.max
      isStopping = false
      if stopSources.cancellation != nil { multi.poller.unwatchCancellation() }
    }
    let wasPaused = handlePause(since: expectedRound, longAfter: CallQueue.pauseTolerance)
    let start = MonotonicClock.now
    let end = milliseconds.map { start + Int64($0) * 1000 }
    if checksInterrupts { nextInterruptCheck = start + CallQueue.interruptCheckInterval }
    // Without a wait below, pending input must be read here.
    let pollsFirst = wasPaused || finishedCount > 0 || milliseconds == 0
    if pollsFirst, read(0) == .broken { throw markBroken() }
    try round()
    while finishedCount == 0, count > 0 {
      let time = min(expectedRound, end ?? Int64.max, nextInterruptCheck)
      let waited = read(CallQueue.milliseconds(until: time))
      if waited == .broken { throw markBroken() }
      // The process may have been stopped or not scheduled.
      _ = handlePause(
        since: expectedRound,
        until: multi.poller.lastWaitEnd,
        longAfter: CallQueue.tick
      )
      if waited == .cancelled || shouldStop(isInterrupted: waited == .interrupted) { cancelAll() }
      try round()
      if isStopping { cancelAll() }
      if let end, MonotonicClock.now >= end { return }
    }
  }

  /// Returns whether the blocking call must end.
  ///
  /// Calls the interrupt function after a signal, or once the check interval has passed.
  private func shouldStop(isInterrupted: Bool) -> Bool {
    if stopSources.cancellation?.isCancelled == true { isStopping = true }
    guard !isStopping, nextInterruptCheck < Int64.max else { return isStopping }
    let now = MonotonicClock.now
    if isInterrupted || now >= nextInterruptCheck {
      nextInterruptCheck = now + CallQueue.interruptCheckInterval
      if callingHost({ stopSources.interruption?.shouldStop() }) == true { isStopping = true }
    }
    return isStopping
  }

  /// Waits up to `milliseconds` (-1: no limit) for ready sockets and lets libcurl read them.
  private func read(_ milliseconds: Int32) -> Poller.WaitResult {
    readStart = 0
    return multi.wait(milliseconds)
  }

  /// Returns whether to end an attempt while its response is read: a few bytes may decode to many.
  private func shouldStop(_ call: Call) -> Bool {
    guard case .running(_, let deadline) = call.state else { return true }
    let now = MonotonicClock.now
    if readStart == 0 { readStart = now }
    if now >= deadline, now - readStart >= CallQueue.maxReadTime { return true }
    let isStopping = shouldStop(isInterrupted: false)
    guard isOfThisProcess else {
      // A forked child returns here into libcurl, which sends a goodbye on a connection that it closes.
      multi.poller.abandonConnections()
      return true
    }
    return isStopping
  }

  /// Blocks until a call is finished, the queue is empty, or the time has passed; nil for no limit.
  package func wait(milliseconds: Int?) throws(ArgyleError) {
    try wait(milliseconds: milliseconds, StopSources())
  }

  /// The epoll timeout for a point in time.
  private static func milliseconds(until time: Int64) -> Int32 {
    guard time < Int64.max else { return -1 }
    // Rounded up, so that the time has come when the wait returns.
    return Int32(clamping: (max(time - MonotonicClock.now, 0) + 999) / 1000)
  }

  /// When there is something to do without input.
  private var nextDue: Int64 {
    if isUnfinished { return 0 }
    var next = multi.due ?? Int64.max
    if !active.isEmpty { next = min(next, earliestDue) }
    if active.count < maxInFlight { next = min(next, backlog.due) }
    return next
  }

  /// The latest start of the next round if the host drives the queue in time.
  private var expectedRound: Int64 {
    active.isEmpty ? nextDue : max(min(nextDue, lastRound + CallQueue.tick), lastRoundEnd)
  }

  /// Updates whether and when the shared descriptor is readable.
  private func updateWakeUp() {
    let poller = multi.poller
    guard poller.isShared else { return }
    poller.setAwake(finishedCount > 0 || isUnfinished || hasSubmissions)
    let next = expectedRound
    if next < Int64.max { poller.setTimer(next) }
  }

  /// Throws in a forked child, whose copies of the connections are the parent's.
  package func checkProcess() throws(ArgyleError) {
    guard isOfThisProcess else {
      throw ArgyleError(
        .forked,
        "the queue was created in the parent process; create a new one after fork()"
      )
    }
  }

  private func checkUsable() throws(ArgyleError) {
    try checkProcess()
    guard !isBroken else { throw CallQueue.brokenError }
  }

  private static let cancelledReason = "cancelled"
  private static let brokenReason = "the queue's descriptor was closed by the program"
  private static var brokenError: ArgyleError { ArgyleError(.argument, brokenReason) }

  /// Whether the descriptor of an idle queue is still open.
  func hasDescriptor() -> Bool {
    if !isBroken, multi.wait(0) == .broken { _ = markBroken() }
    return !isBroken
  }

  /// Cancels all calls after the host closed the descriptor.
  private func markBroken() -> ArgyleError {
    for call in calls { cancel(call, CallQueue.brokenReason) }
    isBroken = true
    multi.poller.abandonDescriptor()
    return CallQueue.brokenError
  }
}

// MARK: - Rounds

extension CallQueue {
  /// Advances all calls until they have to wait.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked`` if the host forked in a callback, now or earlier.
  private func round() throws(ArgyleError) {
    hasSubmissions = false
    let start = MonotonicClock.now
    lastRound = start
    var repeats = 0
    var isAtWork = true
    while isAtWork, repeats < CallQueue.maxRounds, lastRound - start < CallQueue.maxRoundTime,
      repeats == 0 || !shouldStop(isInterrupted: false)
    {
      if repeats > 0 { lastRound = MonotonicClock.now }
      creditHostTime()
      isAtWork = collect()
      startPending()
      if earliestDue <= lastRound || multi.hasExpiredTimer(lastRound), readPending() {
        isAtWork = true
      }
      // What libcurl wants to do at once is done now: a timer would take another round.
      if multi.runDue(lastRound) { isAtWork = true }
      if earliestDue <= lastRound, runDue() { isAtWork = true }
      repeats += 1
    }
    isUnfinished = isAtWork
    failUnwatchable(multi.poller.apply())
    updateWakeUp()
    lastRoundEnd = MonotonicClock.now
    try checkProcess()
  }

  /// Reads pending input before deadlines are checked: a response that has arrived is not late.
  ///
  /// - Returns: whether an attempt has completed.
  private func readPending() -> Bool {
    let start = MonotonicClock.now
    var hasAny = false
    // A request may just have been sent.
    failUnwatchable(multi.poller.apply())
    while read(0) == .ready {
      if collect() { hasAny = true }
      guard MonotonicClock.now - start < CallQueue.maxReadTime, !shouldStop(isInterrupted: false)
      else { break }
      failUnwatchable(multi.poller.apply())
    }
    return hasAny
  }

  /// Processes completed attempts; returns whether there were any.
  private func collect() -> Bool {
    var hasAny = false
    while let transfer = multi.nextCompleted() {
      guard let call = CallQueue.call(of: transfer) else { continue }
      hasAny = true
      if transfer.wasStopped {
        stopInterrupted(call, transfer)
        continue
      }
      let result = multi.finish(transfer)
      call.times.transfer = transfer.times
      if transfer.ranOutOfDescriptors { hasRunOutOfDescriptors = true }
      switch result {
      case .success(let response): step(call, .answered(response))
      case .failure(let failure): step(call, .failed(failure))
      }
    }
    if multi.hasFailed {
      hasAny = failRunning("out of memory") || hasAny
      multi.renew()
    }
    return hasAny
  }

  /// Stops an attempt that was interrupted while its response was read.
  private func stopInterrupted(_ call: Call, _ transfer: EasyHandle) {
    if isStopping {
      stop(call, transfer, .cancelled, CallQueue.cancelledReason)
    } else {
      stop(call, transfer, .timeout, call.machine?.timeoutReason(at: lastRound) ?? "")
    }
  }

  /// Fails all attempts in flight; returns whether there were any.
  private func failRunning(_ reason: String) -> Bool {
    var hasAny = false
    for call in active {
      guard case .running(let transfer, _) = call.state else { continue }
      hasAny = true
      stop(call, transfer, .internal, reason)
    }
    return hasAny
  }

  /// Fails the attempts that wait for sockets which the kernel cannot watch.
  private func failUnwatchable(_ sockets: [Int32]) {
    for socket in sockets {
      for call in active {
        guard case .running(let transfer, _) = call.state,
          multi.isWaiting(transfer, for: socket)
        else { continue }
        stop(call, transfer, .internal, "the kernel cannot poll a socket")
      }
    }
  }

  /// Starts pending calls while places and rate limits allow.
  private func startPending() {
    while active.count < maxInFlight, isOfThisProcess, let call = backlog.next(at: lastRound) {
      start(call)
    }
  }

  private func start(_ call: Call) {
    begin(call)
    call.activeIndex = active.count
    active.append(call)
    step(call, .started)
  }

  /// Times out attempts, resumes delayed calls, and computes the next due time.
  private func runDue() -> Bool {
    var hasAny = false
    earliestDue = Int64.max
    for call in active {
      switch call.state {
      case .delayed(let time):
        guard time <= lastRound else {
          earliestDue = min(earliestDue, time)
          continue
        }
        hasAny = true
        resume(call)
      case .running(let transfer, let deadline):
        let stallDeadline = stallDeadline(call, transfer)
        guard min(deadline, stallDeadline) <= lastRound else {
          earliestDue = min(earliestDue, deadline, stallDeadline)
          continue
        }
        hasAny = true
        let isStalled = stallDeadline < deadline
        let reason =
          isStalled ? call.machine?.stallReason : call.machine?.timeoutReason(at: lastRound)
        stop(call, transfer, .timeout, reason ?? "")
      case .ready, .waiting, .finished: break
      }
    }
    return hasAny
  }

  /// The time at which an attempt stalls unless a byte is sent or received before.
  private func stallDeadline(_ call: Call, _ transfer: EasyHandle) -> Int64 {
    guard let limit = stallLimit(of: call) else { return Int64.max }
    transfer.updateSentBytes(at: lastRound)
    // Until connected, connect_timeout_ms applies instead.
    return (transfer.lastProgress ?? lastRound) + limit
  }

  /// Maximum time without a byte sent or received, in microseconds; nil for no limit.
  private func stallLimit(of call: Call) -> Int64? {
    call.setup.limits.stallTimeoutMilliseconds.map { Int64($0) * 1000 }
  }

  /// Extends attempt deadlines by the time in which the host did not drive the queue.
  ///
  /// The pause takes at most half of an attempt's remaining time, rounded up, so that pending input can still be read;
  /// but it takes something, or a host that is always late would wait forever.
  ///
  /// - Parameters:
  ///   - expected: when the queue was due to be driven.
  ///   - now: when it was driven.
  ///   - longAfter: pause in microseconds after which the server may have timed out.
  /// - Returns: whether there was a pause.
  private func handlePause(
    since expected: Int64,
    until now: Int64 = MonotonicClock.now,
    longAfter: Int64
  ) -> Bool {
    guard !active.isEmpty, now - expected > CallQueue.pauseTolerance else { return false }
    extendAttempts(at: now, isLong: now - expected >= longAfter) { deadline in
      let left = max(deadline - lastRound, 0)
      return now + left - min(expected - lastRound, (left + 1) / 2)
    }
    return true
  }

  /// Calls the host and measures the time it takes, which is not the server's.
  private func callingHost<Result>(_ body: () -> Result) -> Result {
    let start = MonotonicClock.now
    defer { hostTime += MonotonicClock.now - start }
    return body()
  }

  /// Extends attempt deadlines by the time spent in the host's callbacks, not by the library's own.
  private func creditHostTime() {
    guard hostTime > CallQueue.pauseTolerance else { return }
    extendAttempts(at: lastRound, isLong: false) { $0 + hostTime }
    hostTime = 0
  }

  private func extendAttempts(at now: Int64, isLong: Bool, _ end: (_ deadline: Int64) -> Int64) {
    for call in active {
      guard case .running(let transfer, let deadline) = call.state else { continue }
      let last = call.machine?.deadline ?? Int64.max
      call.state = .running(transfer, deadline: min(end(deadline), last))
      transfer.recordPause(until: now, isLong: isLong)
    }
    // Makes the next round recompute it.
    earliestDue = now
  }
}

// MARK: - Steps of a call

extension CallQueue {
  private func begin(_ call: Call) {
    let setup = call.setup
    call.machine = CallMachine(
      call.requestContext,
      setup.limits,
      setup.retryBudget,
      since: deadlineIncludesQueueing ? call.times.submittedAt : nil
    )
  }

  /// Passes an event to a call's machine and carries out the next step.
  ///
  /// A forked child, which may return from the host's callbacks, stops here: the locks taken below may be held by
  /// threads that exist only in the parent, and the calls are the parent's.
  private func step(_ call: Call, _ event: CallMachine.Event) {
    guard isOfThisProcess else { return }
    switch event {
    case .answered(let response):
      call.head = response.head
      call.body = response.body
      call.setup.limiter?.record(
        status: response.head.status,
        retryAfterMilliseconds: response.head.retryAfterMilliseconds,
        lastRound
      )
    case .failed(let failure) where !failure.hadUnsolicitedInput:
      call.head = failure.head
      call.body = nil
    case .failed, .started, .waited, .startFailed, .cancelled: break
    }
    withLog(of: call) { log in
      if let machine = call.machine { log.logEvent(event, machine, call.times) }
    }
    guard isOfThisProcess else { return }
    let random = { Double.random(in: 0...1) }
    switch call.machine?.handle(event, at: lastRound, random: random) {
    case .send(let end): send(call, until: end)
    case .wait(let time):
      withLog(of: call) { log in
        guard let machine = call.machine else { return }
        log.logBackoff(machine.context, attempt: machine.attempts, microseconds: time - lastRound)
      }
      delay(call, until: time)
    case .finish(let result): finish(call, result)
    case nil: break
    }
  }

  /// Calls `body` with the log, if there is one and the call is not discarded.
  private func withLog(of call: Call, _ body: (CallLog) -> Void) {
    guard !call.isDiscarded, let log = call.setup.log else { return }
    callingHost { body(log) }
  }

  private func delay(_ call: Call, until time: Int64) {
    call.state = .delayed(until: time)
    earliestDue = min(earliestDue, time)
  }

  /// Starts a delayed call's next attempt if the rate limit allows it, else delays it further.
  private func resume(_ call: Call) {
    let deadline = call.machine?.deadline ?? Int64.max
    if lastRound < deadline, isOfThisProcess, let due = call.setup.limiter?.acquire(lastRound) {
      return delay(call, until: min(due, deadline))
    }
    step(call, .waited)
  }

  private func send(_ call: Call, until deadline: Int64) {
    let context = Unmanaged.passUnretained(call).toOpaque()
    let transfer: EasyHandle
    do {
      transfer = try multi.start(call.request, call.setup.settings.transfer, context: context)
    } catch {
      // Nothing was sent, so this was not an attempt.
      return step(call, .startFailed(error))
    }
    call.state = .running(transfer, deadline: deadline)
    earliestDue = min(earliestDue, deadline)
    if let limit = stallLimit(of: call) { earliestDue = min(earliestDue, lastRound + limit) }
    if call.times.sentAt == 0 { call.times.sentAt = lastRound }
  }

  /// Stops an attempt in flight.
  private func stop(
    _ call: Call,
    _ transfer: EasyHandle,
    _ kind: TransferFailure.Kind,
    _ reason: String
  ) {
    let failure = multi.stop(transfer, kind, reason)
    call.times.transfer = transfer.times
    step(call, .failed(failure))
  }

  private func finish(_ call: Call, _ result: Result<Answer, ArgyleError>) {
    call.state = .finished
    call.outcome = result
    call.attempts = call.machine?.attempts ?? 0
    call.machine = nil
    call.times.finishedAt = MonotonicClock.now
    if let index = call.activeIndex, let last = active.popLast() {
      call.activeIndex = nil
      if last !== call {
        active[index] = last
        last.activeIndex = index
      }
    }
    call.fifoNumber = finished.append(call)
    finishedCount += 1
    // Last, because the host may discard the call in its log function.
    if let error = call.error {
      withLog(of: call) { log in
        log.logError(call.requestContext, error, microseconds: call.times.total)
      }
    }
  }
}
