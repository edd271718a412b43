import CJansson
import Support

/// A fault that was asked for: what goes wrong, for which requests, and how often.
///
/// As JSON it is an object of `kind` and its parameters, with `method` and `path` to choose requests, and
/// with `count`, or `probability` and `seed`, to choose how often; otherwise it is every time.
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
    try members.finish()
    self.source = source
  }

  /// Whether it has done all that it was asked for.
  var isSpent: Bool { count == 0 }

  /// Whether it is about this request at all.
  func concerns(_ request: HTTPRequest, _ route: Route) -> Bool {
    if let method, !request.method.name.utf8.matches(method) { return false }
    if let path { return route.template?.utf8.matches(path) == true }
    return true
  }

  /// Decides about a request that it concerns, and counts.
  mutating func strikes() -> Bool {
    if isSpent { return false }
    if let probability, generator.fraction() >= probability { return false }
    if let left = count { count = left - 1 }
    return true
  }

  /// The rule as JSON, with the count that is left.
  var text: Bytes {
    if let count {
      source.withValue {
        _ = argyle_json_object_set_new($0, "count", argyle_json_integer(Int64(count)))
      }
    }
    return source.shortened() ?? []
  }
}
