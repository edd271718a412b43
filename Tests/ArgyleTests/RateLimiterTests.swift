import Testing

@testable import Argyle

/// The rate of requests, with a simulated clock.
struct RateLimiterTests {
  /// Returns the times in microseconds at which `count` requests are sent that are all ready at `start`.
  private func times(_ limiter: RateLimiter, _ count: Int, at start: Int64) -> [Int64] {
    var now = start
    return (0..<count).map { _ in
      while let next = limiter.acquire(now) {
        #expect(next > now)
        now = next
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

  @Test func pauseAllowsSmallBurst() {
    let limiter = RateLimiter(requestsPerSecond: 50)
    // A tenth of a second's requests at once, then one every 20 ms.
    #expect(
      times(limiter, 8, at: 1_000_000)
        == [1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_020_000, 1_040_000, 1_060_000]
    )
    // A longer pause allows no larger burst.
    #expect(times(limiter, 6, at: 60_000_000).filter { $0 == 60_000_000 }.count == 5)
  }

  @Test func requestsPerSecondAreLimited() {
    let limiter = RateLimiter(requestsPerSecond: 100)
    let all = times(limiter, 1000, at: 1_000_000)
    for start in all { #expect(all.filter { $0 >= start && $0 < start + 1_000_000 }.count <= 110) }
    #expect(all == all.sorted())
  }

  @Test func refusalHalvesRateAtMostOncePerSecond() {
    let limiter = RateLimiter(requestsPerSecond: 4)
    for _ in 0..<10 { limiter.record(status: 429, retryAfterMilliseconds: nil, 1_000_000) }
    #expect(times(limiter, 3, at: 1_000_000) == [1_000_000, 1_500_000, 2_000_000])
    limiter.record(status: 429, retryAfterMilliseconds: nil, 2_500_000)
    #expect(times(limiter, 3, at: 10_000_000) == [10_000_000, 11_000_000, 12_000_000])
  }

  @Test func rateRecovers() {
    let limiter = RateLimiter(requestsPerSecond: 4)
    limiter.record(status: 429, retryAfterMilliseconds: nil, 1_000_000)
    limiter.record(status: 200, retryAfterMilliseconds: nil, 3_500_000)
    // The rate recovers from a half to three quarters in 2.5 seconds, a quarter of the recovery time.
    #expect(times(limiter, 2, at: 4_000_000) == [4_000_000, 4_333_333])
    limiter.record(status: 200, retryAfterMilliseconds: nil, 60_000_000)
    #expect(times(limiter, 2, at: 61_000_000) == [61_000_000, 61_250_000])
  }

  @Test func rateHasMinimum() {
    let limiter = RateLimiter(requestsPerSecond: 64)
    for second in 1..<100 {
      limiter.record(status: 429, retryAfterMilliseconds: nil, Int64(second) * 1_000_000)
    }
    #expect(times(limiter, 2, at: 200_000_000) == [200_000_000, 201_000_000])
  }

  @Test func retryAfterPausesAllRequests() {
    let limiter = RateLimiter(requestsPerSecond: 1000)
    limiter.record(status: 429, retryAfterMilliseconds: 2000, 1_000_000)
    #expect(limiter.acquire(1_000_000) == 3_000_000)
    #expect(limiter.acquire(2_999_999) == 3_000_000)
    #expect(limiter.acquire(3_000_000) == nil)
    // The pause is limited to a minute.
    limiter.record(status: 429, retryAfterMilliseconds: 31_536_000_000, 5_000_000)
    #expect(limiter.acquire(5_000_000) == 65_000_000)
  }

  @Test func failedAcquireConsumesNothing() {
    let limiter = RateLimiter(requestsPerSecond: 10)
    #expect(limiter.acquire(1_000_000) == nil)
    for _ in 0..<100 { #expect(limiter.acquire(1_000_001) == 1_100_000) }
    #expect(limiter.acquire(1_100_000) == nil)
  }

  @Test func lowerRateAppliesToNextRequest() {
    let limiter = RateLimiter(requestsPerSecond: 20)
    #expect(times(limiter, 2, at: 1_000_000) == [1_000_000, 1_000_000])
    limiter.record(status: 429, retryAfterMilliseconds: nil, 1_010_000)
    #expect(times(limiter, 3, at: 1_020_000) == [1_100_000, 1_200_000, 1_300_000])
  }

  // MARK: - Clients

  @Test func limiterIsSharedUnlessSet() throws {
    var options = ClientOptions(keyID: "id", keySecret: "secret", environment: .sandbox)
    let client = try Client(options)
    options.maxRequestsPerSecond = 100
    let paced = try Client(options)
    #expect(paced.calls.limiter != nil)
    #expect(try paced.with { $0.timeout = .seconds(1) }.calls.limiter === paced.calls.limiter)
    let separate = try paced.with { $0.maxRequestsPerSecond = 100 }
    #expect(separate.calls.limiter != nil)
    #expect(separate.calls.limiter !== paced.calls.limiter)
    #expect(try separate.with { $0.timeout = .seconds(1) }.calls.limiter === separate.calls.limiter)
    #expect(try paced.with { $0.maxRequestsPerSecond = 50 }.calls.limiter !== paced.calls.limiter)
    #expect(try paced.with { $0.maxRequestsPerSecond = nil }.calls.limiter == nil)
    #expect(try client.with { _ in }.calls.limiter == nil)
  }

  @Test func replacedOptionsGetTheirOwnLimiter() throws {
    var options = ClientOptions(keyID: "id", keySecret: "secret", environment: .sandbox)
    let without = options
    options.maxRequestsPerSecond = 100
    let paced = try Client(options)
    #expect(try paced.with { $0 = options }.calls.limiter !== paced.calls.limiter)
    #expect(try paced.with { $0 = without }.calls.limiter == nil)
  }
}
