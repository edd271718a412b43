/// The result of checking a field.
enum FieldCheck {
  /// The value as JSON, in the form of responses.
  case valid(Bytes)

  /// The errors as JSON: an array of messages, or an object of the errors of members.
  case invalid(Bytes)

  static func problems(_ messages: [String]) -> FieldCheck {
    .invalid(JSONWriter.array(messages))
  }
}
