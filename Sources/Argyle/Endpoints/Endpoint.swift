import Transport

/// What one operation asks of the service, and what an answer to it has to hold.
struct Endpoint {
  /// What is sent.
  enum Body {
    /// Nothing.
    case none
    /// The user's metadata as the caller gave them, or nothing.
    case metadata
    /// The user's id: `{"user": "<id>"}`.
    case userID
  }

  /// What an answer has to be.
  enum Answer {
    /// Anything, of which nothing is given.
    case anything
    /// A page of users.
    case page
    /// An object with these members, each a text that is not empty, about the user whom a member names.
    case object([StaticString], about: Subject)
  }

  /// Where an answer says which user it is about.
  enum Subject {
    /// Nowhere, or about a user who was not asked for.
    case anybody
    /// In a member.
    case member(StaticString)
    /// In the claims of the token that a member holds, where they can be read.
    case token(StaticString)
  }

  let method: Request.Method
  /// The path, which may end with "{id}" for the user's id.
  let path: StaticString
  let body: Body
  let answer: Answer
}
