/// A JSON value: what user metadata is made of.
///
/// Numbers without fraction and exponent are integers of 64 bits, all others are finite doubles: each the one nearest
/// to what was received, of which digits beyond a double's are lost.
public enum JSON: Sendable, Equatable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number.
  case integer(Int64)
  /// A number with a fraction or an exponent, as the nearest double; it must be finite to be sent.
  case real(Double)
  /// A text, of any Unicode characters.
  case string(String)
  /// A list of values.
  case array([JSON])
  /// Named values in their order.
  case object(JSONObject)
}

// MARK: - Access

extension JSON {
  /// The text of a string, otherwise nil.
  public var stringValue: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The number of an integer, otherwise nil.
  public var integerValue: Int64? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// The number of a real or an integer, otherwise nil.
  public var doubleValue: Double? {
    switch self {
    case .real(let value): value
    case .integer(let value): Double(value)
    default: nil
    }
  }

  /// The truth of a boolean, otherwise nil.
  public var boolValue: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The values of an array, otherwise nil.
  public var arrayValue: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members of an object, otherwise nil.
  public var objectValue: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The member of that name, or nil where there is none or this is no object.
  public subscript(key: String) -> JSON? {
    objectValue?[key]
  }
}

// MARK: - Literals

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Makes `null`.
  public init(nilLiteral: ()) { self = .null }

  /// Makes a boolean.
  public init(booleanLiteral value: Bool) { self = .bool(value) }

  /// Makes an integer.
  public init(integerLiteral value: Int64) { self = .integer(value) }

  /// Makes a real.
  public init(floatLiteral value: Double) { self = .real(value) }

  /// Makes a string.
  public init(stringLiteral value: String) { self = .string(value) }

  /// Makes an array.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }

  /// Makes an object, whose members keep the order in which they are written.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(JSONObject(elements))
  }
}
