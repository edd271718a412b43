import CCurl
import CPlatform
import Support
import Testing
@testable import Transport

/// The poller behind the queue's descriptor, with pipes instead of sockets.
struct PollerTests {
  private let poller: Poller

  init() throws {
    poller = try #require(Poller.make(ProcessMark()))
  }

  /// Returns the read end and the write end of a pipe.
  private func makePipe() -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  private func fill(_ pipe: (read: Int32, write: Int32)) {
    #expect(write(pipe.write, "x", 1) == 1)
  }

  private func ready(_ milliseconds: Int32 = 0) -> [Int32] {
    var ready: [Int32] = []
    _ = poller.wait(milliseconds) { ready.append($0.socket) }
    return ready
  }

  /// Whether the descriptor is readable now.
  private var isReadable: Bool { isReadable(within: 0) }

  /// Whether the descriptor becomes readable; the kernel may need a moment, for example for a timer.
  private var becomesReadable: Bool { isReadable(within: 600_000) }

  private func isReadable(within milliseconds: Int32) -> Bool {
    var descriptor = pollfd(fd: poller.descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, milliseconds) == 1
  }

  @Test func socketIsReadyOnceApplied() {
    let pipe = makePipe()
    fill(pipe)
    poller.watch(pipe.read, CURL_POLL_IN)
    #expect(ready() == [])
    poller.apply()
    #expect(ready() == [pipe.read])
    poller.watch(pipe.read, CURL_POLL_REMOVE)
    #expect(ready() == [])
    #expect(!isReadable)
    close(pipe.read)
    close(pipe.write)
  }

  @Test func unwatchableConnectionIsReported() {
    let file = argyle_open("/dev/null", O_RDONLY, 0)
    let pipe = makePipe()
    fill(pipe)
    // epoll(7) does not support /dev/null.
    poller.adopt(file)
    poller.watch(file, CURL_POLL_IN)
    poller.watch(pipe.read, CURL_POLL_IN)
    #expect(poller.apply() == [file])
    #expect(ready() == [pipe.read])
    #expect(poller.apply() == [])
    poller.watch(file, CURL_POLL_IN)
    #expect(poller.apply() == [file])
    for descriptor in [file, pipe.read, pipe.write] { close(descriptor) }
  }

  /// libcurl closes the sockets of its name resolver without notice.
  @Test func closedSocketIsNotReported() {
    let pipe = makePipe()
    poller.watch(pipe.read, CURL_POLL_IN)
    close(pipe.read)
    #expect(poller.apply() == [])
    let file = argyle_open("/dev/null", O_RDONLY, 0)
    poller.watch(file, CURL_POLL_IN)
    #expect(poller.apply() == [])
    for descriptor in [file, pipe.write] { close(descriptor) }
  }

  @Test func connectionStaysRegisteredUntilReadyWithoutInterest() {
    let pipe = makePipe()
    poller.adopt(pipe.read)
    poller.watch(pipe.read, CURL_POLL_IN)
    poller.apply()
    poller.watch(pipe.read, CURL_POLL_REMOVE)
    poller.watch(pipe.read, CURL_POLL_IN)
    poller.apply()
    fill(pipe)
    #expect(ready() == [pipe.read])
    poller.watch(pipe.read, CURL_POLL_REMOVE)
    // It is reported to the poller once more, and then no longer watched.
    #expect(ready() == [])
    #expect(!isReadable)
    poller.watch(pipe.read, CURL_POLL_IN)
    poller.apply()
    #expect(ready() == [pipe.read])
    #expect(poller.closeSocket(pipe.read) == 0)
    close(pipe.write)
  }

  /// libcurl closes the sockets of its name resolver without notice, and their numbers may be reused at once.
  @Test func reusedDescriptorIsWatchedAgain() {
    let first = makePipe()
    poller.watch(first.read, CURL_POLL_IN)
    poller.apply()
    poller.watch(first.read, CURL_POLL_REMOVE)
    let second = makePipe()
    // Closes one pipe and reuses its number for the other atomically.
    #expect(dup2(second.read, first.read) == first.read)
    fill(second)
    poller.watch(first.read, CURL_POLL_IN)
    poller.apply()
    #expect(ready() == [first.read])
    for descriptor in [first.read, first.write, second.read, second.write] { close(descriptor) }
  }

  @Test func manySocketsAreDistinguished() {
    let pipes = (0..<100).map { _ in makePipe() }
    for pipe in pipes {
      poller.adopt(pipe.read)
      poller.watch(pipe.read, CURL_POLL_IN)
    }
    poller.apply()
    for pipe in pipes[10..<40] { #expect(poller.closeSocket(pipe.read) == 0) }
    for pipe in pipes[5..<10] + pipes[40..<50] { fill(pipe) }
    #expect(Set(ready()) == Set((pipes[5..<10] + pipes[40..<50]).map(\.read)))
    for pipe in pipes[..<10] + pipes[40...] { #expect(poller.closeSocket(pipe.read) == 0) }
    for pipe in pipes { close(pipe.write) }
  }

  @Test func descriptorIsReadableWhileAwake() {
    #expect(poller.share())
    #expect(!isReadable)
    poller.setAwake(true)
    poller.setAwake(true)
    #expect(isReadable)
    #expect(ready() == [])
    #expect(isReadable)
    poller.setAwake(false)
    #expect(!isReadable)
  }

  @Test(arguments: [0, 1, MonotonicClock.now])
  func expiredTimerMakesDescriptorReadable(time: Int64) {
    #expect(poller.share())
    poller.setTimer(time)
    #expect(becomesReadable)
    #expect(ready() == [])
    #expect(!isReadable)
  }

  @Test func earlierTimerReplacesLaterOne() {
    #expect(poller.share())
    poller.setTimer(MonotonicClock.now + 3_600_000_000)
    #expect(!isReadable)
    poller.setTimer(MonotonicClock.now)
    #expect(becomesReadable)
    // A later timer can be set once the earlier one has expired.
    #expect(ready() == [])
    poller.setTimer(MonotonicClock.now + 20_000)
    #expect(ready(600_000) == [])
    #expect(!isReadable)
  }
}
