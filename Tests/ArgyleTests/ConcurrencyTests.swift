import Argyle
import ArgyleSandbox
import Testing

/// The Swift API for Swift concurrency, against a sandbox of its own.
struct ConcurrencyTests {
  private let sandbox: SandboxServer
  private let client: Client

  init() throws {
    (sandbox, client) = try Self.start()
  }

  /// Starts a sandbox with these faults, and makes a client for it.
  private static func start(faults: [String] = []) throws -> (SandboxServer, Client) {
    var options = SandboxOptions()
    options.keyID = "id"
    options.keySecret = "canary"
    options.faults = faults
    let sandbox = try SandboxServer(options)
    return (sandbox, try Client(keyID: "id", keySecret: "canary", baseURL: sandbox.url).patient)
  }

  @Test func aUserLivesFromCreateToDelete() async throws {
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

  @Test func whatIsWrongIsSaidBeforeAnythingIsSent() async throws {
    let id = await #expect(throws: ArgyleError.self) { try await client.users.get("") }
    #expect(id?.code == .argument)
    let limit = await #expect(throws: ArgyleError.self) { try await client.users.list(limit: 0) }
    #expect(limit?.message == "limit must be between 1 and 2147483647")
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

  @Test func theStreamIsEmptyWhereNobodyIs() async throws {
    for try await user in client.users.stream() { Issue.record("there is \(user)") }
  }

  @Test func theStreamAsksForFewerWhereAPageIsTooLarge() async throws {
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

  @Test func theStreamEndsWithItsFailure() async throws {
    let wrong = try Client(keyID: "id", keySecret: "wrong", baseURL: sandbox.url)
    var iterator = wrong.users.stream().makeAsyncIterator()
    do {
      _ = try await iterator.next()
      Issue.record("a wrong key is taken")
    } catch {
      #expect(error.code == .authentication)
    }
    #expect(try await iterator.next() == nil)
  }

  /// A walk over two users, a page each, of which the second is refused once with this `Retry-After`.
  private func walk(retryAfter: Int) async throws -> (SandboxServer, UserStream.AsyncIterator) {
    let (sandbox, client) = try Self.start(
      faults: [
        // It does no harm, and takes the first request.
        #"{"kind": "body", "body": "array", "method": "GET", "count": 1}"#,
        #"{"kind": "rate_limit", "retry_after": \#(retryAfter), "method": "GET", "count": 1}"#,
      ]
    )
    for _ in 0..<2 { _ = try await client.users.create() }
    let walking = try client.with { $0.maxRetries = 0 }
    return (sandbox, walking.users.stream(UserQuery(limit: 1)).makeAsyncIterator())
  }

  @Test func aPageIsNotAskedForAgainBeforeTheServiceAllowsIt() async throws {
    var (sandbox, iterator) = try await walk(retryAfter: 600)
    #expect(try await iterator.next() != nil)
    do {
      _ = try await iterator.next()
      Issue.record("the page is asked for again at once")
    } catch {
      #expect(error.code == .rateLimited)
      #expect(error.retryAfterMilliseconds == 600_000)
    }
    sandbox.stop()
  }

  @Test func aPageThatDidNotComeAheadIsAskedForAgain() async throws {
    var (sandbox, iterator) = try await walk(retryAfter: 0)
    #expect(try await iterator.next() != nil)
    #expect(try await iterator.next() != nil)
    #expect(try await iterator.next() == nil)
    sandbox.stop()
  }

  @Test func aWalkCanBeGivenUpWithAPageOnItsWay() async throws {
    for _ in 0..<5 { _ = try await client.users.create() }
    for try await _ in client.users.stream(UserQuery(limit: 1)) { break }
    #expect(try await client.users.list(limit: 1).count == 5)
  }

  @Test(.timeLimit(.minutes(10))) func theCancellationOfATaskEndsItsCall() async throws {
    let (sandbox, client) = try Self.start(
      faults: [#"{"kind": "delay", "milliseconds": 600000, "method": "POST"}"#]
    )
    let task = Task { try await client.users.create() }
    // Carried out at once, but for its answer.
    while try await client.users.list().count == 0 {}
    task.cancel()
    let error = await #expect(throws: ArgyleError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(error?.outcomeIsUnknown == true)
    sandbox.stop()
  }

  @Test(.timeLimit(.minutes(10))) func aTaskThatWasCancelledBeforeSendsNothing() async throws {
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

  @Test func manyAreCancelledAtOnceAndOthersGoOn() async throws {
    // Those that are to be cancelled are not answered.
    let (sandbox, client) = try Self.start(
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
