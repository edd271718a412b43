import Support

extension JSONKind {
  /// The name of the kind in Python, which the service's messages use.
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
