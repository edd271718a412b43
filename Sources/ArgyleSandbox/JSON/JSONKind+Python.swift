import Support

extension JSONKind {
  /// The kind's name in Python, as in the service's messages.
  var pythonName: String {
    switch self {
    case .object: "dict"
    case .array: "list"
    case .string: "str"
    case .integer: "int"
    case .fraction: "float"
    case .boolean: "bool"
    case .null: "NoneType"
    }
  }

  /// The message about a value that should be an object.
  var isNoDictionary: String { "Invalid data. Expected a dictionary, but got \(pythonName)." }
}
