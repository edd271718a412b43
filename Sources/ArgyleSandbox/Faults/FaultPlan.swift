import CJansson
import Support

/// The active faults, in order.
final class FaultPlan {
  /// Maximum number of faults.
  private static var limit: Int { 1000 }

  private var rules: [FaultRule] = []

  /// Adds a rule from a JSON object.
  func add(_ text: Bytes) throws(SandboxError) {
    try add(JSONMembers.parse(text))
  }

  /// Replaces all rules with those of a JSON array; on an error, nothing changes.
  func replace(with text: Bytes) throws(SandboxError) {
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

  /// Applies the rules to a request; returns its total delay and the first other effect.
  func apply(
    to request: HTTPRequest,
    _ route: Route
  ) -> (milliseconds: Int, effect: FaultEffect?) {
    var milliseconds = 0
    var effect: FaultEffect?
    for index in rules.indices where rules[index].matches(request, route) {
      switch rules[index].effect {
      case .delay(let more):
        if rules[index].trigger() { milliseconds += more }
      case let other:
        if effect == nil, rules[index].trigger() { effect = other }
      }
    }
    rules.removeAll { $0.isExhausted }
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
