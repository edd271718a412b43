/// A JSON value, such as user metadata.
///
/// Numbers without fraction and exponent are 64-bit integers; all others are finite doubles, each the nearest to the
/// number received, so digits beyond a double's precision are lost.
public enum JSON: Sendable, Equatable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// An integer.
  case integer(Int64)
  /// A number with a fraction or an exponent, as the nearest double; must be finite to be sent.
  case real(Double)
  /// A string of any Unicode characters.
  case string(String)
  /// An array.
  case array([JSON])
  /// An object whose members keep their order.
  case object(JSONObject)
}

// MARK: - Access

extension JSON {
  /// The value of a string; nil for other kinds.
  public var stringValue: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The value of an integer; nil for other kinds.
  public var integerValue: Int64? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// The value of a real or an integer; nil for other kinds.
  public var doubleValue: Double? {
    switch self {
    case .real(let value): value
    case .integer(let value): Double(value)
    default: nil
    }
  }

  /// The value of a boolean; nil for other kinds.
  public var boolValue: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The items of an array; nil for other kinds.
  public var arrayValue: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members of an object; nil for other kinds.
  public var objectValue: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The member with this name; nil if absent or not an object.
  public subscript(key: String) -> JSON? {
    objectValue?[key]
  }
}

// MARK: - Literals

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Creates `null`.
  public init(nilLiteral: ()) { self = .null }

  /// Creates a boolean.
  public init(booleanLiteral value: Bool) { self = .bool(value) }

  /// Creates an integer.
  public init(integerLiteral value: Int64) { self = .integer(value) }

  /// Creates a real.
  public init(floatLiteral value: Double) { self = .real(value) }

  /// Creates a string.
  public init(stringLiteral value: String) { self = .string(value) }

  /// Creates an array.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }

  /// Creates an object whose members keep their order.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(JSONObject(elements))
  }
}
