import Support
import Testing

@testable import Argyle

/// The typed fields of version 2 of the API, in both directions.
struct UserFieldsTests {
  private func text(_ fields: UserFields) throws -> String {
    String(decoding: try fields.document().text, as: UTF8.self)
  }

  @Test func onlyGivenFieldsAreSent() throws {
    #expect(try text(UserFields()) == "{}")
    #expect(
      try text(UserFields(externalID: "e-1", firstName: "Ada", lastName: nil))
        == #"{"external_id":"e-1","first_name":"Ada","last_name":null}"#
    )
    let email: String? = nil
    #expect(try text(UserFields(email: Field(email))) == #"{"email":null}"#)
  }

  @Test func everyFieldHasItsName() throws {
    let fields = UserFields(
      externalID: "1",
      firstName: "2",
      lastName: "3",
      email: "4",
      phoneNumber: "5",
      ssn: "6",
      address: .value(Address(line1: "7", city: "8", postalCode: "9")),
      birthDate: .value(BirthDate(year: 1815, month: 12, day: 10)),
      externalMetadata: .value([1]),
      openBanking: .value(["end_user": ["zip": "x"]])
    )
    #expect(
      try text(fields)
        == #"{"external_id":"1","first_name":"2","last_name":"3","email":"4","phone_number":"5","#
        + #""ssn":"6","address":{"line1":"7","city":"8","postal_code":"9"},"#
        + #""birth_date":{"year":1815,"month":12,"day":10},"external_metadata":[1],"#
        + #""open_banking":{"end_user":{"zip":"x"}}}"#
    )
  }

  @Test func unknownFieldsAreSent() throws {
    #expect(try text(UserFields(JSONObject([("new", 1)]))) == #"{"new":1}"#)
  }

  private func user(_ text: String) throws -> User {
    User(try JSONReference(parsing: Array(text.utf8)))
  }

  @Test func aUserHasItsFields() throws {
    let user = try user(
      #"""
      {"id": "u", "items_connected": ["item_000000001"], "external_id": "e", "first_name": "f",
       "last_name": "l", "email": "m", "phone_number": "p", "ssn": "s",
       "address": {"city": "c", "line1": "1", "line2": null, "state": "s", "country": "US",
                   "postal_code": "z"},
       "birth_date": {"year": 1900, "month": 1, "day": 31}}
      """#
    )
    #expect(user.itemsConnected == ["item_000000001"])
    #expect(user.externalID == "e")
    #expect([user.firstName, user.lastName, user.email] == ["f", "l", "m"])
    #expect([user.phoneNumber, user.ssn] == ["p", "s"])
    #expect(
      user.address == Address(line1: "1", city: "c", state: "s", postalCode: "z", country: "US")
    )
    #expect(user.birthDate == BirthDate(year: 1900, month: 1, day: 31))
  }

  @Test(arguments: [
    #"{"id": "u"}"#,
    #"""
    {"id": "u", "external_id": null, "first_name": null,
     "address": {"city": null, "line1": null, "line2": null, "state": null, "country": null,
                 "postal_code": null}, "birth_date": {"year": null, "month": null, "day": null}}
    """#,
    #"{"id": "u", "external_id": 1, "first_name": [], "address": "x", "birth_date": {"year": 1e9}}"#,
  ])
  func unsetFieldsAreNil(text: String) throws {
    let user = try user(text)
    #expect(user.externalID == nil && user.firstName == nil && user.itemsConnected == nil)
    #expect(user.address == nil && user.birthDate == nil)
  }

  /// The other version's member is one like any other.
  @Test func tokensAreThoseOfTheVersion() throws {
    let created = try document(#"{"id": "u", "token": "1", "user_token": "2"}"#)
    #expect(NewUser(created, .v1).token == "1")
    #expect(NewUser(created, .v2).token == "2")
    let token = try document(#"{"access": "1", "user_token": "2"}"#)
    #expect(UserToken(token, .v1).access == "1")
    #expect(UserToken(token, .v2).access == "2")
  }

  private func document(_ text: String) throws -> JSONReference {
    try JSONReference(parsing: Array(text.utf8))
  }

  @Test func noDescriptionShowsAField() throws {
    let secret = "S3CRET"
    let address = Address(line1: secret, city: secret)
    let date = BirthDate(year: 777_777, month: 7, day: 7)
    let field = Field.value(secret)
    let fields = UserFields(ssn: field, address: .value(address), birthDate: .value(date))
    let user = try user(#"{"id": "u", "ssn": "S3CRET", "address": {"city": "S3CRET"}}"#)
    let query = UserQuery(limit: 2, cursor: secret, externalID: secret)
    let page = UserPage(
      try document(
        #"{"results": [{"id": "u", "ssn": "S3CRET"}], "next": "?cursor=c&external_id=S3CRET"}"#
      )
    )
    #expect("\(query) \(page)" == "UserQuery UserPage(1 users)")
    let client = try Client(keyID: "id", keySecret: "secret", baseURL: "http://127.0.0.1:1")
      .with { $0.apiVersion = .v2 }
    let walks: [Any] = [
      client.users.all(query), client.users.all(query).makeIterator(),
      client.users.stream(query), client.users.stream(query).makeAsyncIterator(),
      try client.users.cursor(query),
    ]
    for value in [address, date, field, fields, user, query, page] + walks as [Any] {
      var dumped = ""
      dump(value, to: &dumped)
      for text in [String(describing: value), String(reflecting: value), dumped] {
        #expect(!text.contains(secret) && !text.contains("777777"))
      }
    }
  }
}
