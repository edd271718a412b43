import Argyle
import ArgyleSandbox
import Testing

/// The public Swift API with version 2 of the service's, with a sandbox for each test.
struct ClientV2Tests {
  private let sandbox: SandboxServer
  private let first: Client
  private let client: Client

  init() throws {
    (sandbox, first) = try SandboxServer.withClient()
    client = try first.with { $0.apiVersion = .v2 }
  }

  @Test func userLifecycle() throws {
    let created = try client.users.create(
      UserFields(
        externalID: "seven",
        firstName: "Ada",
        lastName: "King",
        email: "ada@example.com",
        phoneNumber: "(212) 555-5555",
        ssn: "123-45-6789",
        address: .value(Address(line1: "1 Main St", city: "Springfield", country: "US")),
        birthDate: .value(BirthDate(year: 1985, month: 12, day: 10)),
        externalMetadata: .value(["group": "A"]),
        openBanking: .value(["end_user": ["name": "Ada"]])
      )
    )
    #expect(try TokenClaims(token: created.token).userID == created.id)
    let user = try client.users.get(created.id)
    #expect(user.externalID == "seven")
    #expect(user.firstName == "Ada")
    #expect(user.lastName == "King")
    #expect(user.email == "ada@example.com")
    #expect(user.phoneNumber == "+12125555555")
    #expect(user.ssn == "123-45-6789")
    #expect(user.address == Address(line1: "1 Main St", city: "Springfield", country: "US"))
    #expect(user.birthDate == BirthDate(year: 1985, month: 12, day: 10))
    #expect(user.externalMetadata == ["group": "A"])
    #expect(user.itemsConnected == [])
    #expect(user.dataProvidersConnected == nil)

    let updated = try client.users.update(
      created.id,
      UserFields(firstName: nil, lastName: "Lovelace", address: nil, birthDate: nil)
    )
    #expect(updated.firstName == nil)
    #expect(updated.lastName == "Lovelace")
    #expect(updated.email == "ada@example.com")
    #expect(updated.address == nil)
    #expect(updated.birthDate == nil)

    try client.users.delete(created.id)
    let error = #expect(throws: ArgyleError.self) { try client.users.get(created.id) }
    #expect(error?.code == .notFound)
  }

  @Test func versionsShareUsers() throws {
    let old = try first.users.create(externalMetadata: ["group": "A"]).id
    let new = try client.users.create(UserFields(firstName: "Ada")).id
    #expect(try client.users.get(old).externalMetadata == ["group": "A"])
    #expect(try first.users.get(new).dataProvidersConnected == [])
    #expect(try first.users.list().results.map(\.id) == [new, old])
    #expect(try client.users.list().results.map(\.id) == [new, old])
  }

  @Test func tokenHasNoRefresh() throws {
    let id = try client.users.create().id
    let token = try client.userTokens.create(id)
    #expect(try token.claims().userID == id)
    #expect(token.refresh == nil)
  }

  @Test func usersAreFoundByExternalID() throws {
    let wanted = try createUsers()
    let page = try client.users.list(limit: 2, externalID: "a&b")
    #expect(page.results.map(\.id) == Array(wanted.prefix(2)))
    #expect(page.count == nil)
    #expect(page.next?.contains("/v2/users?") == true)
    #expect(try client.users.all(query).map { try $0.get().id } == wanted)
  }

  @Test func deletionsDoNotMoveCursor() throws {
    let wanted = try createUsers()
    let cursor = try client.users.cursor(query)
    #expect(try cursor.next()?.id == wanted[0])
    try client.users.delete(wanted[0])
    #expect(try cursor.next()?.id == wanted[1])
    #expect(try cursor.next()?.id == wanted[2])
    #expect(try cursor.next() == nil)
  }

  @Test func asynchronousOperationsTakeFields() async throws {
    let created = try await client.users.create(UserFields(externalID: "a&b"))
    let updated = try await client.users.update(created.id, UserFields(firstName: "Ada"))
    #expect(updated.firstName == "Ada")
    #expect(try await client.users.list(externalID: "a&b").results == [updated])
    var streamed: [User] = []
    for try await user in client.users.stream(query) { streamed.append(user) }
    #expect(streamed == [updated])
  }

  private let query = UserQuery(limit: 1, externalID: "a&b")

  /// Creates users who fulfil the query, newest first, and as many others.
  private func createUsers() throws -> [String] {
    try (0..<3).reduce(into: []) { ids, _ in
      _ = try client.users.create(UserFields(externalID: "other"))
      ids.insert(try client.users.create(UserFields(externalID: "a&b")).id, at: 0)
    }
  }

  @Test func invalidFieldIsNamedAndNotShown() throws {
    let error = #expect(throws: ArgyleError.self) {
      try client.users.create(UserFields(email: "nobody"))
    }
    #expect(error?.code == .invalidRequest)
    #expect(error?.message.hasSuffix("status 400: email: Enter a valid email address.") == true)
  }
}
