import CJansson
import Support

/// A fault: its effect, the requests that it matches, and how often it triggers.
///
/// In JSON it is an object with `kind` and its parameters. `method` and `path` select requests; `count`, and
/// `probability` with `seed`, limit how often the fault triggers, which is otherwise every time.
struct FaultRule {
  private static var methods: [String] {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
  }

  let effect: FaultEffect
  private let method: String?
  private let path: String?
  private var count: Int?
  private let probability: Double?
  private var generator: SeededGenerator
  private let source: JSONReference

  init(_ source: JSONReference) throws(SandboxError) {
    var members = try JSONMembers(source)
    effect = try FaultEffect(&members)
    method = try members.choice("method", Self.methods)
    path = try members.choice("path", Route.templates)
    count = try members.integer("count", 1...1_000_000_000)
    probability = try members.probability("probability")
    let seed = try members.integer("seed", Int.min...Int.max)
    if seed != nil, probability == nil { throw .option("'seed' needs 'probability'") }
    generator = SeededGenerator(seed: seed ?? 0)
    try members.rejectUnknown()
    self.source = source
  }

  /// Whether the count is used up.
  var isExhausted: Bool { count == 0 }

  /// Whether the request has the rule's method and path.
  func matches(_ request: HTTPRequest, _ route: Route) -> Bool {
    if let method, !request.method.name.utf8.matches(method) { return false }
    if let path { return route.template?.utf8.matches(path) == true }
    return true
  }

  /// Decides whether the fault triggers for a matching request, and updates the count.
  mutating func trigger() -> Bool {
    if isExhausted { return false }
    if let probability, generator.fraction() >= probability { return false }
    if let left = count { count = left - 1 }
    return true
  }

  /// The rule as JSON, with the remaining count.
  var text: Bytes {
    if let count {
      source.withValue {
        _ = argyle_json_object_set_new($0, "count", argyle_json_integer(Int64(count)))
      }
    }
    return source.shortened() ?? []
  }
}
