import Support

extension FieldType {
  /// Checks a value with the messages of Django REST framework, but does not trim texts, which may be empty.
  func check(_ value: JSONValue) -> FieldCheck {
    if value.kind == .null { return .valid(unset) }
    return switch self {
    case .integer(let range): Self.check(value, range)
    case .object(let fields): Self.check(value, fields)
    case .text, .email, .phoneNumber: checkText(value)
    }
  }

  /// Checks a text; like the framework, it accepts a number as the text that it is.
  private func checkText(_ value: JSONValue) -> FieldCheck {
    var text: Bytes
    switch value.kind {
    case .string: text = value.characters
    case .integer, .fraction: text = Bytes(value.text)
    default: return .problems(["Not a valid string."])
    }
    var problems: [String] = []
    if text.contains(0) { problems.append("Null characters are not allowed.") }
    switch self {
    case .text(let maximumLength):
      // Bytes that begin a character.
      if text.count(where: { $0 & 0xC0 != 0x80 }) > maximumLength {
        problems.append("Ensure this field has no more than \(maximumLength) characters.")
      }
    case .email:
      if !EmailAddress.isValid(text) { problems.append("Enter a valid email address.") }
    case .phoneNumber:
      if value.kind == .string, let number = PhoneNumber.normalize(text) {
        text = number
      } else {
        problems.append("Enter a valid phone number.")
      }
    case .integer, .object: break
    }
    return problems.isEmpty ? .valid(JSONWriter.string(text)) : .problems(problems)
  }

  private static func check(_ value: JSONValue, _ range: ClosedRange<Int>) -> FieldCheck {
    guard let number = integer(value) else { return .problems(["A valid integer is required."]) }
    if number < range.lowerBound {
      return .problems(["Ensure this value is greater than or equal to \(range.lowerBound)."])
    }
    if number > range.upperBound {
      return .problems(["Ensure this value is less than or equal to \(range.upperBound)."])
    }
    return .valid(Bytes("\(number)".utf8))
  }

  /// Reads an integer, also from a string of digits and from a number like 5.0; negative ones become -1.
  private static func integer(_ value: JSONValue) -> Int? {
    var digits: ArraySlice<UInt8>
    switch value.kind {
    case .string: digits = value.characters[...]
    case .integer: digits = value.text
    case .fraction:
      digits = value.text.prefix { $0 != UInt8(ascii: ".") }
      let decimals = value.text[digits.endIndex...].dropFirst()
      guard decimals.allSatisfy({ $0 == UInt8(ascii: "0") }) else { return nil }
    default: return nil
    }
    let isNegative = value.kind != .string && digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    // Far beyond all ranges, and far from overflow.
    let number = decimalNumber(digits, limit: 1 << 32)
    return isNegative ? number.map { _ in -1 } : number
  }

  private static func check(_ value: JSONValue, _ fields: [UserField]) -> FieldCheck {
    guard value.kind == .object else {
      return .invalid(HTTPResponse.invalid("non_field_errors", value.kind.isNoDictionary).body)
    }
    var json = JSONWriter()
    json.raw("{")
    let (values, errors) = JSONObjectText(Bytes(value.text)).check(fields)
    if let errors { return .invalid(errors.text) }
    for (field, value) in zip(fields, values) { json.member(field.name, value ?? field.unset) }
    json.raw("}")
    return .valid(json.text)
  }
}

extension JSONObjectText {
  /// Checks the members with the names of fields.
  ///
  /// - Returns: the values as JSON, nil for absent members, and the errors as a JSON object, nil if there are none.
  func check(_ fields: [UserField]) -> (values: [Bytes?], errors: JSONWriter?) {
    var values: [Bytes?] = []
    var errors = JSONWriter()
    errors.raw("{")
    var isValid = true
    for field in fields {
      switch member(field.name).map({ field.type.check($0) }) {
      case .valid(let value): values.append(value)
      case .invalid(let messages):
        errors.member(field.name, messages)
        isValid = false
      case nil: values.append(nil)
      }
    }
    errors.raw("}")
    return (values, isValid ? nil : errors)
  }
}
