/// The calls of a queue that wait for their turn, a lane for each rate limit.
///
/// It knows no clock: times are microseconds that the queue reads.
struct Backlog {
  /// Whether a call's deadline runs while it waits for its turn, as it does for somebody who waits for that call alone.
  private let deadlineIncludesQueueing: Bool
  /// None is empty.
  private var lanes: [CallLane] = []
  /// The lane whose turn is next.
  private var turn = 0
  /// How many calls wait.
  private(set) var count = 0

  init(deadlineIncludesQueueing: Bool) {
    self.deadlineIncludesQueueing = deadlineIncludesQueueing
  }

  /// All calls that wait, in no particular order.
  var calls: [Call] { lanes.flatMap { $0.calls.remaining } }

  /// When the next call can have its turn, or its deadline passes before that.
  var due: Int64 { lanes.reduce(Int64.max) { min($0, $1.due, expiry($1)) } }

  /// Adds a call.
  mutating func append(_ call: Call) {
    let lane = lane(of: call)
    call.place = lane.calls.append(call)
    lane.count += 1
    count += 1
  }

  /// Takes out a call that is to have no turn.
  mutating func remove(_ call: Call) {
    let lane = lane(of: call)
    lane.calls.remove(call.place)
    noteTaken(from: lane)
  }

  /// Takes out the next call that may have its turn, of one lane after the other; nil where all have to wait.
  mutating func next(at now: Int64) -> Call? {
    for _ in lanes.indices {
      if turn >= lanes.count { turn = 0 }
      let lane = lanes[turn]
      turn += 1
      if let call = next(of: lane, at: now) {
        noteTaken(from: lane)
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

  /// When the deadline of a lane's next call passes, where that runs already.
  private func expiry(_ lane: CallLane) -> Int64 {
    guard deadlineIncludesQueueing, lane.limiter != nil, let call = lane.calls.remaining.first,
      let milliseconds = call.setup.limits.deadlineMilliseconds
    else { return Int64.max }
    return call.times.submittedAt + Int64(milliseconds) * 1000
  }

  /// The lane in which a call waits, or is to wait.
  private mutating func lane(of call: Call) -> CallLane {
    if let lane = lanes.first(where: { $0.limiter === call.setup.limiter }) { return lane }
    let lane = CallLane(call.setup.limiter)
    lanes.append(lane)
    return lane
  }

  private mutating func noteTaken(from lane: CallLane) {
    lane.count -= 1
    count -= 1
    guard lane.count == 0, let index = lanes.firstIndex(where: { $0 === lane }) else { return }
    lanes.remove(at: index)
    if index < turn { turn -= 1 }
  }
}
