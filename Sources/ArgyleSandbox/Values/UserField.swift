/// A field of a user, or of an object in one, that a client of API v2 may set.
struct UserField: Sendable {
  let name: String
  let type: FieldType
  /// The field in a response if it was never set, as JSON.
  let unset: Bytes

  init(name: String, type: FieldType) {
    self.name = name
    self.type = type
    unset = type.unset
  }

  /// The fields besides the metadata, in the order of responses; each is a column of the database.
  static let all: [UserField] = [
    UserField(name: "external_id", type: .text(maximumLength: 100)),
    UserField(name: "first_name", type: .text()),
    UserField(name: "last_name", type: .text()),
    UserField(name: "email", type: .email),
    UserField(name: "phone_number", type: .phoneNumber),
    UserField(name: "ssn", type: .text()),
    UserField(
      name: "address",
      type: .texts(["city", "line1", "line2", "state", "country", "postal_code"])
    ),
    UserField(
      name: "birth_date",
      type: .object([
        // The last year that Python's dates know.
        UserField(name: "year", type: .integer(1900...9999)),
        UserField(name: "month", type: .integer(1...12)),
        UserField(name: "day", type: .integer(1...31)),
      ])
    ),
  ]

  /// The values of `all` for a user who has none.
  static let unset = [Bytes?](repeating: nil, count: all.count)

  /// The fields that a request may have: also one that is not stored, because no response contains it.
  static let writable: [UserField] = {
    let person = FieldType.texts(["name", "address", "city", "state", "zip", "phone"])
    let openBanking = FieldType.object([UserField(name: "end_user", type: person)])
    return all + [UserField(name: "open_banking", type: openBanking)]
  }()
}
