import CJansson
import Support

/// The faults that are set, in their order.
final class FaultPlan {
  /// How many there may be at once.
  private static var limit: Int { 1000 }

  private var rules: [FaultRule] = []

  /// Adds a rule, given as a JSON object.
  func add(_ text: Bytes) throws(SandboxError) {
    try add(JSONMembers.parse(text))
  }

  /// Puts the rules of a JSON array in place of all others, or none of them.
  func replace(by text: Bytes) throws(SandboxError) {
    let array = try JSONMembers.parse(text)
    guard array.type == JSON_ARRAY else {
      throw .option("faults must be a JSON array")
    }
    let plan = FaultPlan()
    for index in 0..<array.count {
      if let rule = array.item(index) { try plan.add(rule) }
    }
    rules = plan.rules
  }

  private func add(_ object: JSONReference) throws(SandboxError) {
    if rules.count == Self.limit { throw .option("there must be at most \(Self.limit) faults") }
    rules.append(try FaultRule(object))
  }

  func clear() { rules = [] }

  /// The delays for a request, added up, and the first other fault that strikes it.
  func strike(_ request: HTTPRequest, _ route: Route) -> (milliseconds: Int, effect: FaultEffect?) {
    var milliseconds = 0
    var effect: FaultEffect?
    for index in rules.indices where rules[index].concerns(request, route) {
      switch rules[index].effect {
      case .delay(let more):
        if rules[index].strikes() { milliseconds += more }
      case let other:
        if effect == nil, rules[index].strikes() { effect = other }
      }
    }
    rules.removeAll { $0.isSpent }
    return (milliseconds, effect)
  }

  /// Writes the rules as an array.
  func write(to json: inout JSONWriter) {
    json.raw("[")
    for (index, rule) in rules.enumerated() {
      if index > 0 { json.raw(",") }
      json.raw(rule.text)
    }
    json.raw("]")
  }
}
