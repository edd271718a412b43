import Support

/// A user who has connected, or will connect, payroll accounts ("The user object").
///
/// Only the id is guaranteed. Other fields are nil if the service sent none, or sent another type than documented;
/// ``raw`` has whatever it sent.
public struct User: Sendable, Equatable {
  /// The user's id.
  public let id: String

  /// The whole object as received, including fields that this library does not know.
  public let raw: JSON

  init(_ document: JSONReference) {
    raw = JSON(document)
    id = raw["id"]?.stringValue ?? ""
  }

  /// Creation time: ISO 8601 in UTC, with 0 to 6 fractional digits.
  public var createdAt: String? { raw["created_at"]?.stringValue }

  /// The employers that the user has connected.
  public var employersConnected: [String]? { raw["employers_connected"]?.stringArrayValue }

  /// The data providers that the user has connected.
  public var dataProvidersConnected: [String]? { raw["data_providers_connected"]?.stringArrayValue }

  /// The user's metadata; an empty object if there is none.
  public var externalMetadata: JSON? { raw["external_metadata"] }
}

// MARK: - Version 2 of the API

extension User {
  /// The items that the user has connected.
  public var itemsConnected: [String]? { raw["items_connected"]?.stringArrayValue }

  /// The caller's id for the user.
  public var externalID: String? { raw["external_id"]?.stringValue }

  /// The first name.
  public var firstName: String? { raw["first_name"]?.stringValue }

  /// The last name.
  public var lastName: String? { raw["last_name"]?.stringValue }

  /// The email address.
  public var email: String? { raw["email"]?.stringValue }

  /// The phone number.
  public var phoneNumber: String? { raw["phone_number"]?.stringValue }

  /// The social security number.
  public var ssn: String? { raw["ssn"]?.stringValue }

  /// The address; nil if none of its parts is set.
  public var address: Address? { raw["address"].flatMap { Address($0) } }

  /// The date of birth; nil if it is not set.
  public var birthDate: BirthDate? { raw["birth_date"].flatMap { BirthDate($0) } }
}

extension JSON {
  /// The strings of an array of strings; nil for anything else.
  fileprivate var stringArrayValue: [String]? {
    guard let items = arrayValue else { return nil }
    let strings = items.compactMap { $0.stringValue }
    return strings.count == items.count ? strings : nil
  }
}

// MARK: - Description

extension User: CustomStringConvertible {
  /// Only the id: everything else is personal data.
  public var description: String { "User(id: \(id))" }
}

#if !hasFeature(Embedded)
  extension User: CustomReflectable {
    /// Only the id, so that no dump shows personal data.
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
  }
#endif
