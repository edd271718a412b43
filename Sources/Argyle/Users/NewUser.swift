import Support

/// A newly created user, with a token to start Argyle Link ("Create a user").
public struct NewUser: Sendable, Equatable {
  /// The user's id.
  public let id: String

  /// The user token, a credential that no description shows.
  public let token: String

  /// The whole object as received.
  public let raw: JSON

  init(_ document: JSONReference, _ version: APIVersion) {
    raw = JSON(document)
    id = raw["id"]?.stringValue ?? ""
    token = document.member(version.createdTokenMember)?.text ?? ""
  }
}

// MARK: - Description

extension NewUser: CustomStringConvertible {
  /// Only the id.
  public var description: String { "NewUser(id: \(id))" }
}

#if !hasFeature(Embedded)
  extension NewUser: CustomReflectable {
    /// Only the id, so that no dump shows the token.
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
  }
#endif
