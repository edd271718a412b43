/// A user's date of birth.
public struct BirthDate: Sendable, Equatable {
  /// The year, from 1900.
  public var year: Int
  /// The month, 1 to 12.
  public var month: Int
  /// The day of the month, 1 to 31.
  public var day: Int

  /// Creates a date, which the service validates.
  public init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }
}

// MARK: - JSON

extension BirthDate {
  /// Reads a date; returns nil if one of its parts is not set.
  init?(_ json: JSON) {
    guard let year = json["year"]?.integerValue.flatMap({ Int(exactly: $0) }),
      let month = json["month"]?.integerValue.flatMap({ Int(exactly: $0) }),
      let day = json["day"]?.integerValue.flatMap({ Int(exactly: $0) })
    else { return nil }
    self.init(year: year, month: month, day: day)
  }

  /// The date as an object.
  var json: JSON {
    ["year": .integer(Int64(year)), "month": .integer(Int64(month)), "day": .integer(Int64(day))]
  }
}

// MARK: - Description

extension BirthDate: CustomStringConvertible {
  /// Only the type's name: a date of birth is personal data.
  public var description: String { "BirthDate" }
}

#if !hasFeature(Embedded)
  extension BirthDate: CustomReflectable {
    /// Empty, so that no dump shows personal data.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
