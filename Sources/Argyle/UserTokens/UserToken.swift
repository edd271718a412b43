import Support

/// A user token: a short-lived credential to start Argyle Link for one user ("The user token object").
public struct UserToken: Sendable, Equatable {
  /// The token for Argyle Link, a credential that no description shows.
  public let access: String

  /// The token to refresh ``access`` with; nil if the service sent none, as in version 2 of the API.
  public let refresh: String?

  /// The whole object as received.
  public let raw: JSON

  init(_ document: JSONReference, _ version: APIVersion) {
    raw = JSON(document)
    access = document.member(version.tokenMember)?.text ?? ""
    refresh = raw["refresh"]?.stringValue
  }

  /// Decodes the claims of ``access`` without verifying them.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument`` if the service sent no JSON Web Token.
  public func claims() throws(ArgyleError) -> TokenClaims {
    try TokenClaims(token: access)
  }
}

// MARK: - Description

extension UserToken: CustomStringConvertible {
  /// Only the type's name.
  public var description: String { "UserToken" }
}

#if !hasFeature(Embedded)
  extension UserToken: CustomReflectable {
    /// Empty, so that no dump shows the tokens.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
