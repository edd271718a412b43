/// What a field may contain, besides null.
enum FieldType: Sendable {
  /// The default is Django's usual length; without a bound, a list of users could take any amount of memory.
  case text(maximumLength: Int = 255)
  case email
  case phoneNumber
  case integer(ClosedRange<Int>)
  case object([UserField])

  /// An object of texts.
  static func texts(_ names: [String]) -> FieldType {
    .object(names.map { UserField(name: $0, type: .text()) })
  }

  /// The field in a response if it was never set, as JSON.
  var unset: Bytes {
    guard case .object(let fields) = self else { return Bytes("null".utf8) }
    var json = JSONWriter()
    json.raw("{")
    for field in fields { json.member(field.name, field.unset) }
    json.raw("}")
    return json.text
  }
}
