import Testing
import Transport

@testable import Argyle

/// The verdict on every status and every failure.
struct RetryPolicyTests {
  private typealias Verdict = RetryPolicy.Verdict

  private static let get = Request(.get, "/v1/users/u")
  private static let patch = Request(.patch, "/v1/users/u")
  private static let delete = Request(.delete, "/v1/users/u")
  private static let post = Request(.post, "/v1/users")

  private func verdict(_ status: Int, _ request: Request, hasRetryAfter: Bool = false) -> Verdict {
    RetryPolicy.verdict(on: status, hasRetryAfter: hasRetryAfter, request)
  }

  /// The verdict on an idempotent request by status, without `Retry-After`; the first matching row applies.
  private static let statuses: [(ClosedRange<Int>, retryable: Bool, mayHaveActed: Bool)] = [
    (200...299, false, true),
    (408...408, true, true),
    (429...429, true, false),
    (500...500, true, true),
    (501...501, false, false),
    (502...504, true, true),
    (505...505, false, false),
    (506...999, false, true),
    (0...999, false, false),
  ]

  @Test(arguments: 100...999)
  func everyStatusHasAVerdict(status: Int) throws {
    let row = try #require(Self.statuses.first { $0.0.contains(status) })
    #expect(verdict(status, Self.get) == Verdict(isRetryable: row.retryable, mayHaveActed: false))
    for request in [Self.patch, Self.delete] {
      let expected = Verdict(isRetryable: row.retryable, mayHaveActed: row.mayHaveActed)
      #expect(verdict(status, request) == expected)
    }
    // A create is retried only if the service certainly did not act.
    let expected = Verdict(isRetryable: status == 429, mayHaveActed: row.mayHaveActed)
    #expect(verdict(status, Self.post) == expected)
  }

  @Test(arguments: 100...999)
  func retryAfterMattersOnlyFor503(status: Int) {
    for request in [Self.get, Self.patch, Self.delete, Self.post] {
      let result = verdict(status, request, hasRetryAfter: true)
      if status == 503 {
        #expect(result == Verdict(isRetryable: true, mayHaveActed: false))
      } else {
        #expect(result == verdict(status, request))
      }
    }
  }

  @Test(arguments: [
    (TransferFailure.Kind.connection, true), (.timeout, true), (.tls, false),
    (.protocolViolation, false), (.tooLarge, false), (.cancelled, false), (.internal, false),
  ])
  func everyFailureHasAVerdict(kind: TransferFailure.Kind, isTransient: Bool) {
    for received in [false, true] {
      let failure = TransferFailure(kind, "why", mayHaveBeenReceived: received)
      let get = RetryPolicy.verdict(on: failure, Self.get)
      #expect(get == Verdict(isRetryable: isTransient, mayHaveActed: false))
      for request in [Self.patch, Self.delete] {
        let expected = Verdict(isRetryable: isTransient, mayHaveActed: received)
        #expect(RetryPolicy.verdict(on: failure, request) == expected)
      }
      let post = RetryPolicy.verdict(on: failure, Self.post)
      #expect(post == Verdict(isRetryable: isTransient && !received, mayHaveActed: received))
    }
  }

  @Test func retriedDeleteSucceedsIfNotFound() {
    #expect(RetryPolicy.isSuccess(404, Self.delete, mayHaveActedBefore: true))
    #expect(!RetryPolicy.isSuccess(404, Self.delete, mayHaveActedBefore: false))
    #expect(!RetryPolicy.isSuccess(404, Self.get, mayHaveActedBefore: true))
    #expect(!RetryPolicy.isSuccess(410, Self.delete, mayHaveActedBefore: true))
  }
}
