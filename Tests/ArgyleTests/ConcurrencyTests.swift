import Argyle
import ArgyleSandbox
import Testing

/// The asynchronous Swift API, with a sandbox for each test.
struct ConcurrencyTests {
  private let sandbox: SandboxServer
  private let client: Client

  init() throws {
    (sandbox, client) = try SandboxServer.withClient()
  }

  @Test func userLifecycle() async throws {
    let created = try await client.users.create(externalMetadata: ["group": "A"])
    let user = try await client.users.get(created.id)
    #expect(user.externalMetadata == ["group": "A"])
    let updated = try await client.users.update(created.id, externalMetadata: nil)
    #expect(updated.externalMetadata == .null)
    let token = try await client.userTokens.create(created.id)
    #expect(try token.claims().userID == created.id)
    #expect(try await client.users.list().results.map(\.id) == [created.id])
    try await client.users.delete(created.id)
    let error = await #expect(throws: ArgyleError.self) { try await client.users.get(created.id) }
    #expect(error?.code == .notFound)
    #expect(error?.attempts == 1)
  }

  @Test func invalidArgumentsAreRejected() async throws {
    let id = await #expect(throws: ArgyleError.self) { try await client.users.get("") }
    #expect(id?.code == .argument)
    let limit = await #expect(throws: ArgyleError.self) { try await client.users.list(limit: 0) }
    #expect(limit?.message == "limit must be between 1 and 2147483647, got 0")
    let stream = await #expect(throws: ArgyleError.self) {
      for try await _ in client.users.stream(UserQuery(offset: -1)) {}
    }
    #expect(stream?.code == .argument)
  }

  @Test func manyTasksShareAClient() async throws {
    let ids = try await withThrowingTaskGroup(of: String.self) { group in
      for number in 0..<500 {
        group.addTask {
          try await client.users.create(externalMetadata: .integer(Int64(number))).id
        }
      }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(ids.count == 500)
    var seen: [String] = []
    for try await user in client.users.stream() { seen.append(user.id) }
    #expect(seen.count == 500)
    #expect(Set(seen) == ids)
    #expect(try client.users.all().map { try $0.get().id } == seen)
  }

  @Test func streamIsEmptyWithoutUsers() async throws {
    for try await user in client.users.stream() { Issue.record("unexpected \(user)") }
  }

  @Test func streamReducesPageSizeIfPageIsTooLarge() async throws {
    let metadata = JSON.string(String(repeating: "x", count: 3000))
    for _ in 0..<23 { _ = try await client.users.create(externalMetadata: metadata) }
    let ids = try client.users.all().map { try $0.get().id }
    let small = try client.with { $0.maxResponseBytes = 10_000 }
    var seen: [String] = []
    for try await user in small.users.stream() { seen.append(user.id) }
    #expect(seen == ids)
    #expect(try small.users.all().map { try $0.get().id } == ids)
    let tiny = try client.with { $0.maxResponseBytes = 1000 }
    let error = await #expect(throws: ArgyleError.self) {
      for try await _ in tiny.users.stream() {}
    }
    #expect(error?.code == .tooLarge)
  }

  @Test func streamEndsAfterFailure() async throws {
    let wrong = try Client(keyID: "id", keySecret: "wrong", baseURL: sandbox.url)
    var iterator = wrong.users.stream().makeAsyncIterator()
    do {
      _ = try await iterator.next()
      Issue.record("a wrong key is accepted")
    } catch {
      #expect(error.code == .authentication)
    }
    #expect(try await iterator.next() == nil)
  }

  /// Returns an iterator over two users, one a page; the second page is refused once with this `Retry-After`.
  private func iterate(retryAfter: Int) async throws -> (SandboxServer, UserStream.AsyncIterator) {
    let (sandbox, client) = try SandboxServer.withClient(
      faults: [
        // Uses up the first request without harm.
        #"{"kind": "body", "body": "array", "method": "GET", "count": 1}"#,
        #"{"kind": "rate_limit", "retry_after": \#(retryAfter), "method": "GET", "count": 1}"#,
      ]
    )
    for _ in 0..<2 { _ = try await client.users.create() }
    let impatient = try client.with { $0.maxRetries = 0 }
    return (sandbox, impatient.users.stream(UserQuery(limit: 1)).makeAsyncIterator())
  }

  @Test func prefetchIsNotRetriedBeforeRetryAfter() async throws {
    var (sandbox, iterator) = try await iterate(retryAfter: 600)
    #expect(try await iterator.next() != nil)
    do {
      _ = try await iterator.next()
      Issue.record("the page is requested again at once")
    } catch {
      #expect(error.code == .rateLimited)
      #expect(error.retryAfterMilliseconds == 600_000)
    }
    sandbox.stop()
  }

  @Test func failedPrefetchIsRetried() async throws {
    var (sandbox, iterator) = try await iterate(retryAfter: 0)
    #expect(try await iterator.next() != nil)
    #expect(try await iterator.next() != nil)
    #expect(try await iterator.next() == nil)
    sandbox.stop()
  }

  @Test func iterationCanStopDuringPrefetch() async throws {
    for _ in 0..<5 { _ = try await client.users.create() }
    for try await _ in client.users.stream(UserQuery(limit: 1)) { break }
    #expect(try await client.users.list(limit: 1).count == 5)
  }

  @Test(.timeLimit(.minutes(10))) func cancellingTaskCancelsCall() async throws {
    let (sandbox, client) = try SandboxServer.withClient(
      faults: [#"{"kind": "delay", "milliseconds": 600000, "method": "POST"}"#]
    )
    let task = Task { try await client.users.create() }
    // The sandbox creates the user at once and delays only its response.
    while try await client.users.list().count == 0 {}
    task.cancel()
    let error = await #expect(throws: ArgyleError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(error?.outcomeIsUnknown == true)
    sandbox.stop()
  }

  @Test(.timeLimit(.minutes(10))) func cancelledTaskSendsNothing() async throws {
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return try await client.users.create()
    }
    task.cancel()
    let error = await #expect(throws: ArgyleError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(error?.outcomeIsUnknown == false)
    #expect(try await client.users.list().count == 0)
  }

  @Test func cancellingManyTasksLeavesOthersRunning() async throws {
    // The sandbox does not respond to the calls that will be cancelled.
    let (sandbox, client) = try SandboxServer.withClient(
      faults: [#"{"kind": "delay", "milliseconds": 600000, "path": "/v1/user-tokens"}"#]
    )
    let doomed = (0..<50).map { _ in Task { try await client.userTokens.create("nobody") } }
    let others = (0..<50).map { _ in Task { try await client.users.list() } }
    for task in doomed { task.cancel() }
    for task in doomed {
      let error = await #expect(throws: ArgyleError.self) { try await task.value }
      #expect(error?.code == .cancelled)
    }
    for task in others { #expect(try await task.value.results.isEmpty) }
    sandbox.stop()
  }
}
