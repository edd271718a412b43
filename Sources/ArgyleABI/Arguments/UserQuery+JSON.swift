import Argyle
import CJansson
import Support

extension UserQuery {
  /// Reads a query from a JSON object; NULL means the defaults.
  init(_ object: UnsafePointer<json_t>?) throws(ArgyleError) {
    var query = UserQuery()
    if let object {
      try ArgyleError.wrapping { () throws(OptionError) in
        try UserQuery.table.read(object, "query", into: &query)
      }
    }
    self = query
  }

  /// Reads a query from JSON text; NULL means the defaults.
  init(text: UnsafeRawBufferPointer?) throws(ArgyleError) {
    guard let text else {
      try self.init(nil)
      return
    }
    let object = try Arguments.json(Array(text), "query")
    self = try object.withValue { (object) throws(ArgyleError) in try UserQuery(object) }
  }
}
