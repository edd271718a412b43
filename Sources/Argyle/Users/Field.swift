/// A field of ``UserFields``: not sent, null, or a value.
///
/// `nil` is null, and string literals are values: `UserFields(firstName: "Ada", lastName: nil)`.
public enum Field<Value: Sendable>: Sendable {
  /// The field is not sent.
  case omitted
  /// The field is sent as null, which clears it.
  case null
  /// The field is sent with this value.
  case value(Value)

  /// Creates a field from an optional value: nil is null.
  public init(_ value: Value?) {
    self = value.map { .value($0) } ?? .null
  }

  /// The field as JSON; nil if it is not sent.
  func json(_ convert: (Value) -> JSON) -> JSON? {
    switch self {
    case .omitted: nil
    case .null: .null
    case .value(let value): convert(value)
    }
  }
}

// MARK: - Literals

extension Field: ExpressibleByNilLiteral {
  /// Creates a null field.
  public init(nilLiteral: ()) { self = .null }
}

extension Field: ExpressibleByUnicodeScalarLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
  ExpressibleByStringLiteral
where Value == String {
  /// Creates a field with a string.
  public init(stringLiteral value: String) { self = .value(value) }
}

// MARK: - Description

extension Field: CustomStringConvertible {
  /// Only the type's name: fields are personal data.
  public var description: String { "Field" }
}

#if !hasFeature(Embedded)
  extension Field: CustomReflectable {
    /// Empty, so that no dump shows personal data.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
