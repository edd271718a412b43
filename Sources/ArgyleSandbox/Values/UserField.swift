/// A field of a user, or of an object in one, that a client of API v2 may set.
struct UserField {
  let name: String
  let type: FieldType

  /// The fields besides the metadata, in the order of responses; each is a column of the database.
  ///
  /// Their number is repeated in `unset`.
  static var all: [UserField] {
    [
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
  }

  /// The values of `all` for a user who has none.
  static var unset: [Bytes?] { [Bytes?](repeating: nil, count: 8) }

  /// A field that is checked but not stored, because no response contains it.
  static var openBanking: UserField {
    let person = FieldType.texts(["name", "address", "city", "state", "zip", "phone"])
    return UserField(
      name: "open_banking",
      type: .object([UserField(name: "end_user", type: person)])
    )
  }
}
