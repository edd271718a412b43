import Argyle
import ArgyleSandbox
import Testing

/// The public Swift API, with a sandbox for each test.
struct ClientTests {
  private let sandbox: SandboxServer
  private let client: Client

  init() throws {
    (sandbox, client) = try SandboxServer.withClient()
  }

  @Test func userLifecycle() throws {
    let created = try client.users.create(externalMetadata: ["group": "A"])
    let user = try client.users.get(created.id)
    #expect(user.id == created.id)
    #expect(user.externalMetadata == ["group": "A"])
    #expect(user.employersConnected == [])
    #expect(user.dataProvidersConnected == [])
    #expect(user.createdAt?.hasSuffix("Z") == true)
    #expect(user.raw["created_at"]?.stringValue == user.createdAt)

    let updated = try client.users.update(created.id, externalMetadata: nil)
    #expect(updated.externalMetadata == .null)

    try client.users.delete(created.id)
    let error = #expect(throws: ArgyleError.self) { try client.users.get(created.id) }
    #expect(error?.code == .notFound)
    #expect(error?.httpStatus == 404)
    #expect(error?.traceID?.utf8.count == 36)
    #expect(error?.body?["detail"]?.stringValue == "Not found.")
  }

  @Test func userWithoutMetadataHasEmptyObject() throws {
    #expect(try client.users.get(client.users.create().id).externalMetadata == [:])
  }

  @Test func deepestAcceptedMetadataCanBeListed() throws {
    let deepest = (0..<2044).reduce(JSON.integer(1)) { value, _ in [value] }
    let id = try client.users.create(externalMetadata: deepest).id
    #expect(try client.users.list().results.map(\.id) == [id])
    #expect(try client.users.all().map { try $0.get().id } == [id])
  }

  @Test func tokenContainsUserID() throws {
    let created = try client.users.create()
    #expect(try TokenClaims(token: created.token).userID == created.id)
    let token = try client.userTokens.create(created.id)
    #expect(try token.claims().userID == created.id)
    #expect(token.refresh != nil)
  }

  @Test func pageHasResultsAndLinks() throws {
    let ids = try (0..<3).map { _ in try client.users.create().id }
    let first = try client.users.list(limit: 2)
    #expect(first.results.map(\.id) == [ids[2], ids[1]])
    #expect(first.count == 3)
    #expect(first.next != nil)
    #expect(first.previous == nil)
    let second = try client.users.list(limit: 2, offset: 2, ordering: .oldestFirst)
    #expect(second.results.map(\.id) == [ids[2]])
    #expect(second.next == nil)
    #expect(second.previous != nil)
  }

  @Test func allUsersAreIterated() throws {
    let ids = try (0..<7).map { _ in try client.users.create().id }
    let query = UserQuery(limit: 3, ordering: .oldestFirst)
    #expect(try client.users.all(query).map { try $0.get().id } == ids)

    let cursor = try client.users.cursor(UserQuery(offset: 5))
    #expect(try cursor.next()?.id == ids[1])
    #expect(try cursor.next()?.id == ids[0])
    #expect(try cursor.next() == nil)
    #expect(try cursor.next() == nil)
  }

  @Test func sequenceEndsAfterFailure() throws {
    let unauthorized = try client.with { $0.keySecret = "wrong" }
    let results = Array(unauthorized.users.all())
    #expect(results.count == 1)
    let error = #expect(throws: ArgyleError.self) { try results[0].get() }
    #expect(error?.code == .authentication)
    let bad = Array(client.users.all(UserQuery(limit: 0)))
    #expect(bad.count == 1)
  }

  @Test func derivedClientHasItsOwnOptions() throws {
    let brief = try client.with { $0.timeout = .milliseconds(5000) }
    let id = try brief.users.create().id
    #expect(try client.users.get(id).id == id)
    let error = #expect(throws: ArgyleError.self) { try client.with { $0.maxResponseBytes = -1 } }
    #expect(error?.code == .argument)
  }

  @Test func manyThreadsShareAClient() async throws {
    let client = client
    let ids = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<16 { group.addTask { try client.users.create().id } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(ids.count == 16)
    #expect(try await client.users.list().count == 16)
  }

  @Test func descriptionsOmitSecrets() throws {
    let created = try client.users.create(externalMetadata: "personal")
    let token = try client.userTokens.create(created.id)
    let user = try client.users.get(created.id)
    let error = #expect(throws: ArgyleError.self) { try client.users.get("personal") }
    let page = try client.users.list()
    for value in [created, token, user, error as Any, page, client] as [Any] {
      var dumped = ""
      dump(value, to: &dumped)
      let text = "\(value) \(String(reflecting: value)) \(dumped)"
      #expect(!text.contains(created.token))
      #expect(!text.contains(token.access))
      #expect(!text.contains("canary"))
      #expect(!text.contains(#""personal""#) && !text.contains("string("))
    }
  }

  @Test func codesHaveNames() {
    #expect(ArgyleError.Code.notFound.name == "not_found")
    #expect(ArgyleError.Code(rawValue: 999).name == "unknown")
  }
}
