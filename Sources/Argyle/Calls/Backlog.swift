/// A queue's pending calls, with one lane for each rate limit.
///
/// It reads no clock: times are microseconds passed by the queue.
struct Backlog {
  /// Whether a call's deadline includes its time in the backlog, as for a caller who waits for that call alone.
  private let deadlineIncludesQueueing: Bool
  /// Lanes with pending calls; none is empty.
  private var lanes: [CallLane] = []
  /// Index of the next lane in the rotation.
  private var nextLane = 0
  private(set) var count = 0

  init(deadlineIncludesQueueing: Bool) {
    self.deadlineIncludesQueueing = deadlineIncludesQueueing
  }

  /// All pending calls, in no particular order.
  var calls: [Call] { lanes.flatMap { $0.calls.remaining } }

  /// When the next call can start or its deadline expires, whichever is earlier.
  var due: Int64 { lanes.reduce(Int64.max) { min($0, $1.due, expiry($1)) } }

  mutating func append(_ call: Call) {
    let lane = lane(of: call)
    call.fifoNumber = lane.calls.append(call)
    lane.count += 1
    count += 1
  }

  /// Removes a call that is not to be started.
  mutating func remove(_ call: Call) {
    let lane = lane(of: call)
    lane.calls.remove(call.fifoNumber)
    didRemoveCall(from: lane)
  }

  /// Removes and returns the next call that may start, rotating between lanes; nil if all must wait.
  mutating func next(at now: Int64) -> Call? {
    for _ in lanes.indices {
      if nextLane >= lanes.count { nextLane = 0 }
      let lane = lanes[nextLane]
      nextLane += 1
      if let call = next(of: lane, at: now) {
        didRemoveCall(from: lane)
        return call
      }
    }
    return nil
  }

  private func next(of lane: CallLane, at now: Int64) -> Call? {
    let isTooLate = expiry(lane) <= now
    guard isTooLate || lane.due <= now else { return nil }
    if !isTooLate, let due = lane.limiter?.acquire(now) {
      lane.due = due
      return nil
    }
    return lane.calls.popFirst()
  }

  /// When the deadline of a lane's next call expires, if it is already running.
  private func expiry(_ lane: CallLane) -> Int64 {
    guard deadlineIncludesQueueing, lane.limiter != nil, let call = lane.calls.remaining.first,
      let milliseconds = call.setup.limits.deadlineMilliseconds
    else { return Int64.max }
    return call.times.submittedAt + Int64(milliseconds) * 1000
  }

  /// Returns the lane of a call, created if needed.
  private mutating func lane(of call: Call) -> CallLane {
    if let lane = lanes.first(where: { $0.limiter === call.setup.limiter }) { return lane }
    let lane = CallLane(call.setup.limiter)
    lanes.append(lane)
    return lane
  }

  private mutating func didRemoveCall(from lane: CallLane) {
    lane.count -= 1
    count -= 1
    guard lane.count == 0, let index = lanes.firstIndex(where: { $0 === lane }) else { return }
    lanes.remove(at: index)
    if index < nextLane { nextLane -= 1 }
  }
}
