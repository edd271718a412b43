import Transport

/// How to request an operation, and what its response must contain.
struct Endpoint {
  /// The request's body.
  enum Body {
    case none
    /// The user's metadata or fields, if the caller gave them.
    case user
    case userID
  }

  /// The expected response.
  enum Answer {
    /// Anything; the body is ignored.
    case anything
    /// A page of users.
    case page
    /// An object with these members, each a non-empty string, about the user that `about` identifies.
    case object([StaticString], about: Subject)
  }

  /// Where a response identifies its user.
  enum Subject {
    /// Nowhere, or the user is not one of the request's.
    case unspecified
    /// In a member.
    case member(StaticString)
    /// In the claims of the token in a member, if they can be read.
    case token(StaticString)
  }

  let method: Request.Method
  /// The path after that of the version, optionally ending with "{id}" for the user's id.
  let path: StaticString
  let body: Body
  let answer: Answer
}
