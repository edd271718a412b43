/// The fields of a user to create or to update ("Create a user", "Update a user").
///
/// Fields that are not given are not sent. Version 1 of the API has only `external_metadata`.
public struct UserFields: Sendable {
  /// The request's body.
  private let json: JSON

  /// Creates fields by name.
  ///
  /// - Parameters:
  ///   - externalID: the caller's id for the user, at most 100 characters; it need not be unique.
  ///   - firstName: the first name.
  ///   - lastName: the last name.
  ///   - email: the email address.
  ///   - phoneNumber: the phone number.
  ///   - ssn: the social security number.
  ///   - address: the address.
  ///   - birthDate: the date of birth.
  ///   - externalMetadata: any JSON value with at most 2044 levels of nesting.
  ///   - openBanking: data about the user for open banking; the service never returns it.
  public init(
    externalID: Field<String> = .omitted,
    firstName: Field<String> = .omitted,
    lastName: Field<String> = .omitted,
    email: Field<String> = .omitted,
    phoneNumber: Field<String> = .omitted,
    ssn: Field<String> = .omitted,
    address: Field<Address> = .omitted,
    birthDate: Field<BirthDate> = .omitted,
    externalMetadata: Field<JSON> = .omitted,
    openBanking: Field<JSON> = .omitted
  ) {
    let members: [(String, JSON?)] = [
      ("external_id", externalID.json { .string($0) }),
      ("first_name", firstName.json { .string($0) }),
      ("last_name", lastName.json { .string($0) }),
      ("email", email.json { .string($0) }),
      ("phone_number", phoneNumber.json { .string($0) }),
      ("ssn", ssn.json { .string($0) }),
      ("address", address.json { $0.json }),
      ("birth_date", birthDate.json { $0.json }),
      ("external_metadata", externalMetadata.json { $0 }),
      ("open_banking", openBanking.json { $0 }),
    ]
    json = .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }

  /// Creates fields from an object, which may have fields that this library does not know.
  public init(_ object: JSONObject) {
    json = .object(object)
  }

  /// The request's body; the error names the broken rule.
  func document() throws(ArgyleError) -> UserDocument {
    try UserDocument(json, .fields)
  }
}

// MARK: - Description

extension UserFields: CustomStringConvertible {
  /// Only the type's name: fields are personal data.
  public var description: String { "UserFields" }
}

#if !hasFeature(Embedded)
  extension UserFields: CustomReflectable {
    /// Empty, so that no dump shows personal data.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
