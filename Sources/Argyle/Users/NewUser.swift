import Support

/// A user who was just created, with a token to start Argyle Link for them ("Create a user").
public struct NewUser: Sendable, Equatable {
  /// The user's id.
  public let id: String

  /// The user token: a credential, which no description shows.
  public let token: String

  /// The whole object as it was received.
  public let raw: JSON

  init(_ document: JSONReference) {
    raw = JSON(document)
    id = raw["id"]?.stringValue ?? ""
    token = raw["token"]?.stringValue ?? ""
  }
}

// MARK: - Description

extension NewUser: CustomStringConvertible {
  /// The id alone.
  public var description: String { "NewUser(id: \(id))" }
}

#if !hasFeature(Embedded)
  extension NewUser: CustomReflectable {
    /// The id alone, so that no dump shows the token.
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
  }
#endif
