import Argyle
import CJansson
import Support

extension UserQuery {
  /// Reads a query from a JSON object; NULL asks for nothing in particular.
  init(_ object: UnsafePointer<json_t>?) throws(ArgyleError) {
    var query = UserQuery()
    if let object {
      try ObjectMember.forEach(in: object, "query") { member throws(ArgyleError) in
        if member.isNamed("limit") {
          query.limit = try member.integer()
        } else if member.isNamed("offset") {
          query.offset = try member.integer()
        } else if member.isNamed("ordering") {
          query.ordering = try UserQuery.ordering(member)
        } else {
          throw ArgyleError(.argument, "query has an unknown key \"\(member.name.printable)\"")
        }
      }
    }
    self = query
  }

  /// Reads a JSON object that is given as text; NULL leaves the defaults.
  init(text: UnsafeRawBufferPointer?) throws(ArgyleError) {
    guard let text else {
      try self.init(nil)
      return
    }
    let object = try Arguments.json(Array(text), "query")
    self = try object.withValue { (object) throws(ArgyleError) in try UserQuery(object) }
  }

  private static func ordering(_ member: ObjectMember) throws(ArgyleError) -> Ordering {
    let name = try member.text().utf8
    if name.elementsEqual("-created_at".utf8) { return .newestFirst }
    if name.elementsEqual("created_at".utf8) { return .oldestFirst }
    throw ArgyleError(.argument, "ordering must be \"created_at\" or \"-created_at\"")
  }
}
