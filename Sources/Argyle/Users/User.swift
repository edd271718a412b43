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
