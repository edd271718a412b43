import Testing

@testable import Argyle

/// The pace of requests, on a clock of the test's own.
struct RateLimiterTests {
  /// The times at which requests are made that all want to begin at one time, in microseconds.
  private func times(_ limiter: RateLimiter, _ count: Int, at start: Int64) -> [Int64] {
    var now = start
    return (0..<count).map { _ in
      while let later = limiter.acquire(now) {
        #expect(later > now)
        now = later
      }
      return now
    }
  }

  @Test func requestsAreEvenlySpaced() {
    #expect(
      times(RateLimiter(requestsPerSecond: 4), 4, at: 5_000_000)
        == [5_000_000, 5_250_000, 5_500_000, 5_750_000]
    )
    #expect(times(RateLimiter(requestsPerSecond: 0.5), 2, at: 9) == [9, 2_000_009])
  }

  @Test func aPauseAllowsASmallBurst() {
    let limiter = RateLimiter(requestsPerSecond: 50)
    // A tenth of a second's worth at once, and then one every 20 ms.
    #expect(
      times(limiter, 8, at: 1_000_000)
        == [1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_020_000, 1_040_000, 1_060_000]
    )
    // However long the pause, no more than that.
    #expect(times(limiter, 6, at: 60_000_000).filter { $0 == 60_000_000 }.count == 5)
  }

  @Test func noSecondHasMoreThanItsShare() {
    let limiter = RateLimiter(requestsPerSecond: 100)
    let all = times(limiter, 1000, at: 1_000_000)
    for start in all { #expect(all.filter { $0 >= start && $0 < start + 1_000_000 }.count <= 110) }
    #expect(all == all.sorted())
  }

  @Test func aRefusalHalvesThePaceOnceASecond() {
    let limiter = RateLimiter(requestsPerSecond: 4)
    for _ in 0..<10 { limiter.record(status: 429, retryAfterMilliseconds: nil, 1_000_000) }
    #expect(times(limiter, 3, at: 1_000_000) == [1_000_000, 1_500_000, 2_000_000])
    limiter.record(status: 429, retryAfterMilliseconds: nil, 2_500_000)
    #expect(times(limiter, 3, at: 10_000_000) == [10_000_000, 11_000_000, 12_000_000])
  }

  @Test func thePaceRecovers() {
    let limiter = RateLimiter(requestsPerSecond: 4)
    limiter.record(status: 429, retryAfterMilliseconds: nil, 1_000_000)
    limiter.record(status: 200, retryAfterMilliseconds: nil, 3_500_000)
    // From half to three quarters in a quarter of the ten seconds.
    #expect(times(limiter, 2, at: 4_000_000) == [4_000_000, 4_333_333])
    limiter.record(status: 200, retryAfterMilliseconds: nil, 60_000_000)
    #expect(times(limiter, 2, at: 61_000_000) == [61_000_000, 61_250_000])
  }

  @Test func thePaceIsNeverNothing() {
    let limiter = RateLimiter(requestsPerSecond: 64)
    for second in 1..<100 {
      limiter.record(status: 429, retryAfterMilliseconds: nil, Int64(second) * 1_000_000)
    }
    #expect(times(limiter, 2, at: 200_000_000) == [200_000_000, 201_000_000])
  }

  @Test func retryAfterPausesAll() {
    let limiter = RateLimiter(requestsPerSecond: 1000)
    limiter.record(status: 429, retryAfterMilliseconds: 2000, 1_000_000)
    #expect(limiter.acquire(1_000_000) == 3_000_000)
    #expect(limiter.acquire(2_999_999) == 3_000_000)
    #expect(limiter.acquire(3_000_000) == nil)
    // A year is not waited for.
    limiter.record(status: 429, retryAfterMilliseconds: 31_536_000_000, 5_000_000)
    #expect(limiter.acquire(5_000_000) == 65_000_000)
  }

  @Test func whoeverAsksAndDoesNotGoTakesNothing() {
    let limiter = RateLimiter(requestsPerSecond: 10)
    #expect(limiter.acquire(1_000_000) == nil)
    for _ in 0..<100 { #expect(limiter.acquire(1_000_001) == 1_100_000) }
    #expect(limiter.acquire(1_100_000) == nil)
  }

  @Test func aLowerPaceHoldsForTheVeryNext() {
    let limiter = RateLimiter(requestsPerSecond: 20)
    #expect(times(limiter, 2, at: 1_000_000) == [1_000_000, 1_000_000])
    limiter.record(status: 429, retryAfterMilliseconds: nil, 1_010_000)
    #expect(times(limiter, 3, at: 1_020_000) == [1_100_000, 1_200_000, 1_300_000])
  }

  // MARK: - Clients

  @Test func theLimitIsSharedUnlessItIsSet() throws {
    var options = ClientOptions(keyID: "id", keySecret: "secret", environment: .sandbox)
    let client = try Client(options)
    options.maxRequestsPerSecond = 100
    let paced = try Client(options)
    #expect(paced.calls.limiter != nil)
    #expect(try paced.with { $0.timeout = .seconds(1) }.calls.limiter === paced.calls.limiter)
    let anew = try paced.with { $0.maxRequestsPerSecond = 100 }
    #expect(anew.calls.limiter != nil)
    #expect(anew.calls.limiter !== paced.calls.limiter)
    #expect(try anew.with { $0.timeout = .seconds(1) }.calls.limiter === anew.calls.limiter)
    #expect(try paced.with { $0.maxRequestsPerSecond = 50 }.calls.limiter !== paced.calls.limiter)
    #expect(try paced.with { $0.maxRequestsPerSecond = nil }.calls.limiter == nil)
    #expect(try client.with { _ in }.calls.limiter == nil)
  }

  @Test func optionsInPlaceOfAllOthersHaveTheirOwnLimit() throws {
    var options = ClientOptions(keyID: "id", keySecret: "secret", environment: .sandbox)
    let without = options
    options.maxRequestsPerSecond = 100
    let paced = try Client(options)
    #expect(try paced.with { $0 = options }.calls.limiter !== paced.calls.limiter)
    #expect(try paced.with { $0 = without }.calls.limiter == nil)
  }
}
