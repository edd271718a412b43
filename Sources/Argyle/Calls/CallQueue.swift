import Support
import Transport

/// Runs calls, any number at once, on the thread that uses it.
///
/// Whatever waits for calls, a blocking function or somebody's event loop, does it here: this is the one place
/// that carries out the steps of a ``CallMachine``.
package final class CallQueue {
  /// How long the descriptor may be silent while an attempt is under way, in microseconds.
  ///
  /// A longer pause between two rounds is therefore known to be the host's, and not the server's.
  private static let tick: Int64 = 1_000_000
  /// How late a round may come before the host counts as having been away, in microseconds.
  private static let slack: Int64 = 50_000
  /// How long reading what has already come may take once a time has passed, in microseconds.
  private static let maxReadTime: Int64 = 500_000
  /// How often, and how long in microseconds, a round goes on at once before others get their turn.
  private static let maxRounds = 64
  private static let maxRoundTime: Int64 = 100_000
  /// How long a blocking call goes on without asking whether it is to end, in microseconds.
  ///
  /// A signal may come just before a wait, or to another thread of the program.
  private static let interruptCheckInterval: Int64 = 100_000

  private let maxInFlight: Int
  /// Whether a call's deadline runs while it waits for its turn, as it does for somebody who waits for that call alone.
  private let deadlineIncludesQueueing: Bool
  private let multi: MultiHandle
  private let mark: ProcessMark

  /// The calls that wait for their turn.
  private var backlog: Backlog
  /// Whether a call has come since the last round.
  private var hasSubmissions = false
  /// The calls that have their turn: under way, or about to make another attempt.
  private var active: [Call] = []
  private var finished = FIFO<Call>()
  private var finishedCount = 0

  /// No active call has anything to do by the clock before this time, which may be too early.
  private var earliestDue = Int64.max
  /// When the last round was made, and when it was over.
  private var lastRound: Int64 = 0
  private var lastRoundEnd: Int64 = 0
  /// How long the host's functions took since that was last given back to the attempts, in microseconds.
  private var hostTime: Int64 = 0
  /// Whether the last round stopped with work at hand.
  private var isUnfinished = false
  /// Whether an attempt lacked descriptors: a handle of libcurl's that could not open an IPv6 socket asks for IPv4
  /// addresses alone from then on.
  private var hasRunOutOfDescriptors = false
  /// Whether the descriptor was closed by somebody else.
  private(set) var isBroken = false
  /// What may end the blocking call that waits now, and when it is asked next, in microseconds.
  private var stopSources = StopSources()
  private var nextInterruptCheck = Int64.max
  /// Whether the blocking call is to end, though its attempts have not been told yet.
  private var isStopping = false
  /// When libcurl began to read what has come.
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

  /// The call that a transfer is for.
  private static func call(of transfer: EasyHandle) -> Call? {
    transfer.context.map { Unmanaged<Call>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Makes a queue; an error where memory or descriptors ran out.
  package static func make(maxInFlight: Int) throws(ArgyleError) -> CallQueue {
    try make(maxInFlight: maxInFlight, ProcessMark())
  }

  private static var resourceError: ArgyleError {
    ArgyleError(.internal, "memory or file descriptors ran out")
  }

  /// The same with the mark of what the queue belongs to.
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

  /// Whether this is the process that made the queue, and not a fork of it.
  var isOfThisProcess: Bool { mark.isOfThisProcess }

  /// How many calls the queue holds: those that wait, those under way, and those that are over.
  package var count: Int { backlog.count + active.count + finishedCount }

  /// How many calls are over and were not taken.
  package var readyCount: Int { finishedCount }

  /// All calls that the queue holds, in no particular order.
  package var calls: [Call] {
    backlog.calls + active + finished.remaining
  }
}

// MARK: - In and out

extension CallQueue {
  /// Takes a call, which begins with the next round.
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

  /// Gives back a call that is over, in the order in which they ended; nil where none is.
  package func next() -> Call? {
    guard let call = finished.popFirst() else { return nil }
    call.queue = nil
    finishedCount -= 1
    if finishedCount == 0 { updateWakeUp() }
    return call
  }

  /// Ends a call that the queue holds; nothing happens to one that is over.
  package func cancel(_ call: Call) {
    end(call, CallQueue.cancelledReason)
    updateWakeUp()
  }

  /// Ends all calls that the queue holds.
  package func cancelAll() {
    for call in calls { end(call, CallQueue.cancelledReason) }
    updateWakeUp()
  }

  /// Lets go of a call that the queue holds: it is ended, and not given back.
  package func discard(_ call: Call) {
    // A forked child leaves what is under way to the parent.
    guard isOfThisProcess else {
      call.queue = nil
      return
    }
    call.isDiscarded = true
    end(call, CallQueue.cancelledReason)
    finished.remove(call.place)
    finishedCount -= 1
    call.queue = nil
    updateWakeUp()
  }

  private func end(_ call: Call, _ reason: String) {
    switch call.state {
    case .ready, .finished: return
    case .waiting:
      backlog.remove(call)
      begin(call)
      step(call, .ended(TransferFailure(.cancelled, reason, mayHaveBeenReceived: false)))
    case .delayed:
      step(call, .ended(TransferFailure(.cancelled, reason, mayHaveBeenReceived: false)))
    case .running(let transfer, _): stop(call, transfer, .cancelled, reason)
    }
  }
}

// MARK: - Driving

extension CallQueue {
  /// Makes a descriptor that is readable whenever there is something to do.
  package func shareDescriptor() throws(ArgyleError) -> Int32 {
    try checkUsable()
    guard multi.poller.share() else { throw CallQueue.resourceError }
    updateWakeUp()
    return multi.poller.descriptor
  }

  /// Does all that can be done without waiting.
  package func drive() throws(ArgyleError) {
    try checkUsable()
    _ = notePause(since: expectedRound, isLong: CallQueue.slack)
    guard read(0) != .broken else { throw markBroken() }
    try round()
  }

  /// Waits until a call is over, the queue holds none, or so much time has passed.
  ///
  /// - Parameters:
  ///   - milliseconds: the longest wait; nil for any.
  ///   - stopSources: what can stop the wait and cancel all calls.
  /// - Throws: ``ArgyleError``; what becomes of a call is told by the call.
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
    let wasPaused = notePause(since: expectedRound, isLong: CallQueue.slack)
    let start = MonotonicClock.now
    let end = milliseconds.map { start + Int64($0) * 1000 }
    if checksInterrupts { nextInterruptCheck = start + CallQueue.interruptCheckInterval }
    // Where there is no wait below, what has come is looked for all the same.
    let pollsFirst = wasPaused || finishedCount > 0 || milliseconds == 0
    if pollsFirst, read(0) == .broken { throw markBroken() }
    try round()
    while finishedCount == 0, count > 0 {
      let time = min(expectedRound, end ?? Int64.max, nextInterruptCheck)
      let waited = read(CallQueue.milliseconds(until: time))
      if waited == .broken { throw markBroken() }
      // The process may have been stopped, or have waited for a processor.
      _ = notePause(
        since: expectedRound,
        until: multi.poller.lastReturn,
        isLong: CallQueue.tick
      )
      if waited == .cancelled || shouldStop(isInterrupted: waited == .interrupted) { cancelAll() }
      try round()
      if isStopping { cancelAll() }
      if let end, MonotonicClock.now >= end { return }
    }
  }

  /// Returns whether the blocking call is to end.
  ///
  /// Its interrupt function is asked where a signal has come, or it was not asked for a while.
  private func shouldStop(isInterrupted: Bool) -> Bool {
    if stopSources.cancellation?.isCancelled == true { isStopping = true }
    guard !isStopping, nextInterruptCheck < Int64.max else { return isStopping }
    let now = MonotonicClock.now
    if isInterrupted || now >= nextInterruptCheck {
      nextInterruptCheck = now + CallQueue.interruptCheckInterval
      if callingHost({ stopSources.interruption?.endsCall() }) == true { isStopping = true }
    }
    return isStopping
  }

  /// Waits for ready sockets, at most so many milliseconds (-1 for ever), and lets libcurl read what has come.
  private func read(_ milliseconds: Int32) -> Poller.WaitResult {
    readStart = 0
    return multi.wait(milliseconds)
  }

  /// Returns whether an attempt is to end in the middle of reading its answer, of which a few bytes may decode to a lot.
  private func shouldStop(_ call: Call) -> Bool {
    guard case .running(_, let deadline) = call.state else { return true }
    let now = MonotonicClock.now
    if readStart == 0 { readStart = now }
    if now >= deadline, now - readStart >= CallQueue.maxReadTime { return true }
    let isStopping = shouldStop(isInterrupted: false)
    guard isOfThisProcess else {
      // A child of the host's comes back into libcurl, which takes leave on a connection that it closes.
      multi.poller.abandonConnections()
      return true
    }
    return isStopping
  }

  /// Waits until a call is over, the queue holds none, or so much time has passed; nil: any.
  package func wait(milliseconds: Int?) throws(ArgyleError) {
    try wait(milliseconds: milliseconds, StopSources())
  }

  /// How long a wait for a time may last.
  private static func milliseconds(until time: Int64) -> Int32 {
    guard time < Int64.max else { return -1 }
    // Rounded up, so that the time has come when the wait is over.
    return Int32(clamping: (max(time - MonotonicClock.now, 0) + 999) / 1000)
  }

  /// When there is something to do by the clock.
  private var nextDue: Int64 {
    if isUnfinished { return 0 }
    var next = multi.due ?? Int64.max
    if !active.isEmpty { next = min(next, earliestDue) }
    if active.count < maxInFlight { next = min(next, backlog.due) }
    return next
  }

  /// When the next round is made at the latest by who drives the queue in time.
  private var expectedRound: Int64 {
    active.isEmpty ? nextDue : max(min(nextDue, lastRound + CallQueue.tick), lastRoundEnd)
  }

  /// Keeps what others wait for true: the descriptor's being readable.
  private func updateWakeUp() {
    let poller = multi.poller
    guard poller.isShared else { return }
    poller.setAwake(finishedCount > 0 || isUnfinished || hasSubmissions)
    let next = expectedRound
    if next < Int64.max { poller.setTimer(next) }
  }

  /// Refuses to go on in a forked child, whose copies of the connections are the parent's.
  package func checkProcess() throws(ArgyleError) {
    guard isOfThisProcess else {
      throw ArgyleError(
        .forked,
        "the queue was made in the parent process; make a new one after fork()"
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

  /// Whether a queue that was not used for a while still has its descriptor.
  func hasDescriptor() -> Bool {
    if !isBroken, multi.wait(0) == .broken { _ = markBroken() }
    return !isBroken
  }

  /// Ends all calls once the descriptor is not ours any more.
  private func markBroken() -> ArgyleError {
    for call in calls { end(call, CallQueue.brokenReason) }
    isBroken = true
    multi.poller.abandonDescriptor()
    return CallQueue.brokenError
  }
}

// MARK: - Rounds

extension CallQueue {
  /// Goes on with everything until there is nothing to do but wait.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked`` where the host has forked in a callback, here or before.
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
      noteHostTime()
      isAtWork = collect()
      startPending()
      if earliestDue <= lastRound || multi.hasExpiredTimer(lastRound), readPending() {
        isAtWork = true
      }
      // What libcurl wants to do at once it does now: a timer would take one more round.
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

  /// Reads what lies in the sockets before a time is judged, for an answer that has come is not late.
  ///
  /// - Returns: whether an attempt has ended.
  private func readPending() -> Bool {
    let start = MonotonicClock.now
    var hasAny = false
    // A request may have been sent just now.
    failUnwatchable(multi.poller.apply())
    while read(0) == .ready {
      if collect() { hasAny = true }
      guard MonotonicClock.now - start < CallQueue.maxReadTime, !shouldStop(isInterrupted: false)
      else { break }
      failUnwatchable(multi.poller.apply())
    }
    return hasAny
  }

  /// Takes the attempts that have ended, and tells whether there were any.
  private func collect() -> Bool {
    var hasAny = false
    while let transfer = multi.nextEnded() {
      guard let call = CallQueue.call(of: transfer) else { continue }
      hasAny = true
      if transfer.wasStopped {
        end(call, transfer)
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
      hasAny = failRunning("memory ran out") || hasAny
      multi.renew()
    }
    return hasAny
  }

  /// Ends a call whose attempt was ended in the middle of reading its answer.
  private func end(_ call: Call, _ transfer: EasyHandle) {
    if isStopping {
      stop(call, transfer, .cancelled, CallQueue.cancelledReason)
    } else {
      stop(call, transfer, .timeout, call.machine?.timeoutReason(at: lastRound) ?? "")
    }
  }

  /// Ends all attempts under way, and tells whether there were any.
  private func failRunning(_ reason: String) -> Bool {
    var hasAny = false
    for call in active {
      guard case .running(let transfer, _) = call.state else { continue }
      hasAny = true
      stop(call, transfer, .internal, reason)
    }
    return hasAny
  }

  /// Ends the attempts that wait for sockets which the kernel cannot watch.
  private func failUnwatchable(_ sockets: [Int32]) {
    for socket in sockets {
      for call in active {
        guard case .running(let transfer, _) = call.state,
          multi.isWaiting(transfer, for: socket)
        else { continue }
        stop(call, transfer, .internal, "the kernel cannot watch a socket")
      }
    }
  }

  /// Begins calls that wait, while there are places and the rate limits allow it.
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

  /// Ends the attempts whose time has passed, makes those that were delayed, and finds the next time.
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

  /// When an attempt will have stalled unless a byte comes or goes before.
  private func stallDeadline(_ call: Call, _ transfer: EasyHandle) -> Int64 {
    guard let limit = stallLimit(of: call) else { return Int64.max }
    transfer.noteSentBytes(at: lastRound)
    // Before the connection stands, its own time-out holds.
    return (transfer.lastProgress ?? lastRound) + limit
  }

  /// How long no byte of an attempt may come or go, in microseconds; nil: any time.
  private func stallLimit(of call: Call) -> Int64? {
    call.setup.limits.stallTimeoutMilliseconds.map { Int64($0) * 1000 }
  }

  /// Extends attempt deadlines by the time in which the host did not drive the queue.
  ///
  /// Of the time that an attempt has left the pause takes half, rounded up, at the most, so that what has come meanwhile
  /// can be read; but it takes something, or else a host that is always late would wait for ever.
  ///
  /// - Parameters:
  ///   - expected: when the queue was to be driven again.
  ///   - now: when it was.
  ///   - isLong: from how many microseconds on the server may have lost patience.
  /// - Returns: whether there was such a time.
  private func notePause(
    since expected: Int64,
    until now: Int64 = MonotonicClock.now,
    isLong: Int64
  ) -> Bool {
    guard !active.isEmpty, now - expected > CallQueue.slack else { return false }
    extendAttempts(at: now, isLong: now - expected >= isLong) { deadline in
      let left = max(deadline - lastRound, 0)
      return now + left - min(expected - lastRound, (left + 1) / 2)
    }
    return true
  }

  /// Runs a function of the host's, whose time is not the server's.
  private func callingHost<Result>(_ body: () -> Result) -> Result {
    let start = MonotonicClock.now
    defer { hostTime += MonotonicClock.now - start }
    return body()
  }

  /// Extends attempt deadlines by the time that the host's functions took, and by no time of the library's own.
  private func noteHostTime() {
    guard hostTime > CallQueue.slack else { return }
    extendAttempts(at: lastRound, isLong: false) { $0 + hostTime }
    hostTime = 0
  }

  private func extendAttempts(at now: Int64, isLong: Bool, _ end: (_ deadline: Int64) -> Int64) {
    for call in active {
      guard case .running(let transfer, let deadline) = call.state else { continue }
      let last = call.machine?.deadline ?? Int64.max
      call.state = .running(transfer, deadline: min(end(deadline), last))
      transfer.notePause(until: now, isLong: isLong)
    }
    // To be found anew.
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

  /// Hands an event to a call's machine, and does what it wants.
  ///
  /// A forked child, in which the host's callbacks may come back, ends here: other threads of the parent may have held
  /// the locks that are taken below, and the calls are the parent's.
  private func step(_ call: Call, _ event: CallMachine.Event) {
    guard isOfThisProcess else { return }
    switch event {
    case .answered(let response):
      call.head = response.head
      call.body = response.body
      call.setup.limiter?.note(
        status: response.head.status,
        retryAfterMilliseconds: response.head.retryAfterMilliseconds,
        lastRound
      )
    case .failed(let failure) where !failure.hadUnsolicitedInput:
      call.head = failure.head
      call.body = nil
    case .failed, .started, .waited, .givenUp, .ended: break
    }
    withLog(of: call) { log in
      if let machine = call.machine { log.note(event, machine, call.times) }
    }
    guard isOfThisProcess else { return }
    let random = { Double.random(in: 0...1) }
    switch call.machine?.handle(event, at: lastRound, random: random) {
    case .send(let end): send(call, until: end)
    case .wait(let time):
      withLog(of: call) { log in
        guard let machine = call.machine else { return }
        log.noteWait(machine.context, attempt: machine.attempts, microseconds: time - lastRound)
      }
      delay(call, until: time)
    case .finish(let result): finish(call, result)
    case nil: break
    }
  }

  /// Tells the host's log function, if there is one that is to be told of the call.
  private func withLog(of call: Call, _ body: (CallLog) -> Void) {
    guard !call.isDiscarded, let log = call.setup.log else { return }
    callingHost { body(log) }
  }

  private func delay(_ call: Call, until time: Int64) {
    call.state = .delayed(until: time)
    earliestDue = min(earliestDue, time)
  }

  /// Makes another attempt once its time has come, and the rate limit allows it.
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
      // Nothing was sent, so there was no attempt.
      return step(call, .givenUp(error))
    }
    call.state = .running(transfer, deadline: deadline)
    earliestDue = min(earliestDue, deadline)
    if let limit = stallLimit(of: call) { earliestDue = min(earliestDue, lastRound + limit) }
    if call.times.sentAt == 0 { call.times.sentAt = lastRound }
  }

  /// Ends an attempt that is under way.
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
    call.place = finished.append(call)
    finishedCount += 1
    // Last, for whoever is told may let go of the call.
    if let error = call.error {
      withLog(of: call) { log in
        log.noteError(call.requestContext, error, microseconds: call.times.total)
      }
    }
  }
}
