import Support
import Transport

@testable import Argyle

/// Fuzzes `Retry-After`: the input is its value, optionally after a line of `@` and the time of its receipt.
func fuzzRetryAfter(_ input: [UInt8]) {
  var value = input[...]
  var now: Int64 = 1_700_000_000
  if input.first == UInt8(ascii: "@") {
    let line = input.dropFirst().prefix { $0 != UInt8(ascii: "\n") }
    now = Int64(String(decoding: line, as: UTF8.self)) ?? now
    value = input.dropFirst(line.count + 2)
  }
  check(value, at: now)

  var headers = ResponseHeaders()
  let line = Array("Retry-After: ".utf8) + value + Array("\r\n".utf8)
  line.withUnsafeBytes { headers.append($0) }
  // The input may hold whole lines of its own.
  Array(value).withUnsafeBytes { headers.append($0) }
  for name in ["Retry-After", "retry-after", "Content-Type", ""] {
    if let text = headers[name] {
      expect(!text.utf8.contains(UInt8(ascii: "\n")), "a value is one line")
      expect(text.utf8.first != 0x20 && text.utf8.last != 0x20, "a value has no spaces around it")
    }
  }
  checkCall(ResponseHead(status: 429, headers: headers, receivedAt: now))
}

private let maxWait: Int64 = 365 * 24 * 60 * 60 * 1000

private func check(_ value: ArraySlice<UInt8>, at now: Int64) {
  let text = String(decoding: value, as: UTF8.self)
  let wait = ResponseHead.milliseconds(ofRetryAfter: text, receivedAt: now)
  expect(wait.map { (0...maxWait).contains($0) } ?? true, "a wait is between zero and a year")
  guard !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }) else { return }
  let seconds = value.reduce(0.0) { $0 * 10 + Double($1 - 0x30) }
  expect(wait == Int64(min(seconds * 1000, Double(maxWait))), "seconds are converted exactly")
}

/// Checks that a call honours `Retry-After`, but not beyond its limit.
private func checkCall(_ head: ResponseHead) {
  let limits = CallLimits()
  let context = CallContext(Request(.get, "/v1/users"), authority: "host", secrets: [])
  var machine = CallMachine(context, limits, RetryBudget())
  _ = machine.handle(.started, at: 0) { 1 }
  switch machine.handle(.answered(Response(head: head, body: [])), at: 0, random: { 1 }) {
  case .send: fatalError("a call is not retried without backoff")
  case .wait(let until):
    if let wait = head.retryAfterMilliseconds {
      expect(until == wait * 1000, "a call waits as long as Retry-After says")
    }
    expect((0...limits.maxRetryAfterMilliseconds * 1000).contains(until), "the wait is limited")
  case .finish(.success): fatalError("429 is not a success")
  case .finish(.failure(let error)):
    expect(
      error.retryAfterMilliseconds.map { $0 > limits.maxRetryAfterMilliseconds } ?? false,
      "only a wait that is too long ends the call"
    )
  }
}
