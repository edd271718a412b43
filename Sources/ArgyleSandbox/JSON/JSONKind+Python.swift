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
}
