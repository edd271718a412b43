/// A user's postal address; parts that are nil are not set, and not sent.
public struct Address: Sendable, Equatable {
  /// The first line.
  public var line1: String?
  /// The second line.
  public var line2: String?
  /// The city.
  public var city: String?
  /// The state.
  public var state: String?
  /// The postal code.
  public var postalCode: String?
  /// The country.
  public var country: String?

  /// Creates an address.
  public init(
    line1: String? = nil,
    line2: String? = nil,
    city: String? = nil,
    state: String? = nil,
    postalCode: String? = nil,
    country: String? = nil
  ) {
    self.line1 = line1
    self.line2 = line2
    self.city = city
    self.state = state
    self.postalCode = postalCode
    self.country = country
  }
}

// MARK: - JSON

extension Address {
  /// Reads an address; returns nil if none of its parts is set.
  init?(_ json: JSON) {
    self.init(
      line1: json["line1"]?.stringValue,
      line2: json["line2"]?.stringValue,
      city: json["city"]?.stringValue,
      state: json["state"]?.stringValue,
      postalCode: json["postal_code"]?.stringValue,
      country: json["country"]?.stringValue
    )
    if parts.allSatisfy({ $0.value == nil }) { return nil }
  }

  /// The address as an object of the parts that are set.
  var json: JSON {
    .object(JSONObject(parts.compactMap { name, value in value.map { (name, .string($0)) } }))
  }

  private var parts: [(name: String, value: String?)] {
    [
      ("line1", line1), ("line2", line2), ("city", city), ("state", state),
      ("postal_code", postalCode), ("country", country),
    ]
  }
}

// MARK: - Description

extension Address: CustomStringConvertible {
  /// Only the type's name: an address is personal data.
  public var description: String { "Address" }
}

#if !hasFeature(Embedded)
  extension Address: CustomReflectable {
    /// Empty, so that no dump shows personal data.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
