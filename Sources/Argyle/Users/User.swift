import Support

/// A user who has connected, or will connect, payroll accounts ("The user object").
///
/// Only the id may be relied on. The other fields are nil where the service sent none, or something of another
/// type than the documented one; ``raw`` has whatever it sent.
public struct User: Sendable, Equatable {
  /// The user's id.
  public let id: String

  /// The whole object as it was received, with the fields that this library does not know.
  public let raw: JSON

  init(_ document: JSONReference) {
    raw = JSON(document)
    id = raw["id"]?.stringValue ?? ""
  }

  /// When the user was created: ISO 8601 in UTC, with 0 to 6 digits of fraction.
  public var createdAt: String? { raw["created_at"]?.stringValue }

  /// The employers that the user has connected.
  public var employersConnected: [String]? { raw["employers_connected"]?.stringArrayValue }

  /// The data providers that the user has connected.
  public var dataProvidersConnected: [String]? { raw["data_providers_connected"]?.stringArrayValue }

  /// The metadata that was attached to the user; an empty object where none was.
  public var externalMetadata: JSON? { raw["external_metadata"] }
}

extension JSON {
  /// The texts of an array of strings, otherwise nil.
  fileprivate var stringArrayValue: [String]? {
    guard let items = arrayValue else { return nil }
    let strings = items.compactMap { $0.stringValue }
    return strings.count == items.count ? strings : nil
  }
}

// MARK: - Description

extension User: CustomStringConvertible {
  /// The id alone: all else is personal data.
  public var description: String { "User(id: \(id))" }
}

#if !hasFeature(Embedded)
  extension User: CustomReflectable {
    /// The id alone, so that no dump shows personal data.
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
  }
#endif
