import Argyle
import Foundation

/// Runs every operation through the public API only.
@main
struct Consumer {
  static func main() throws {
    let client = try Client(
      keyID: variable("ARGYLE_KEY_ID"),
      keySecret: variable("ARGYLE_KEY_SECRET"),
      baseURL: variable("ARGYLE_BASE_URL")
    )

    let metadata: JSON = ["group": "A", "scores": [1, 2.5, nil], "text": "Grüße 👋"]
    let created = try client.users.create(externalMetadata: metadata)
    _ = try client.users.create()
    let user = try client.users.get(created.id)
    require(user.externalMetadata == metadata, "get")

    let updated = try client.users.update(created.id, externalMetadata: ["group": "B"])
    require(updated.externalMetadata?["group"]?.stringValue == "B", "update")

    let page = try client.users.list(limit: 1, ordering: .oldestFirst)
    require(page.results.map(\.id) == [created.id] && page.count == 2 && page.next != nil, "list")

    let all = try client.users.all().map { try $0.get().id }
    require(all.count == 2 && all.last == created.id, "all")

    let token = try client.userTokens.create(created.id)
    let claims = try token.claims()
    require(claims.userID == created.id && claims.expiresAt != nil, "token")
    try require(TokenClaims(token: token.access) == claims, "claims")

    try client.users.delete(created.id)
    do {
      _ = try client.users.get(created.id)
      require(false, "get after delete")
    } catch let error {
      require(error.code == .notFound && error.httpStatus == 404, "\(error)")
    }

    let patient = try client.with { $0.timeout = .seconds(60) }
    try require(patient.users.list().results.count == 1, "with")
    print("ok")
  }

  static func variable(_ name: String) -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
      fatalError("\(name) is not set")
    }
    return value
  }

  static func require(_ condition: Bool, _ what: String) {
    guard condition else { fatalError("\(what) went wrong") }
  }
}
