/// An option: its name, type, rule and accessors.
package struct Option<Target> {
  /// Reads the value; nil if absent.
  package typealias Get<Value> = (Target) -> Value?
  package typealias Set<Value> = (inout Target, Value) -> Void

  /// The JSON type and the rule for its values; a rule returns an error message, or nil.
  ///
  /// Kinds without `Get` cannot hold an invalid value once read, so nothing is left to validate.
  package enum Kind {
    /// A string.
    case text(Get<String>, Set<String>, rule: (String) -> String?)
    /// A string of which no copy is left behind.
    case secret(Get<Secret>, Set<Secret>, rule: (UnsafeBufferPointer<UInt8>) -> String?)
    /// One of these strings; the value is its index.
    case choice([StaticString], Set<Int>)
    /// An integer.
    case integer(ClosedRange<Int>, Get<Int>, Set<Int>)
    /// A duration from 1 to `Int32.max` milliseconds.
    case milliseconds(Get<Duration>, Set<Duration>)
    /// A number, integer or not, with its bounds as shown in messages.
    case number(ClosedRange<Double>, StaticString, Get<Double>, Set<Double>)
    case boolean(Set<Bool>)
    /// An array of objects without nested arrays or objects, as JSON texts.
    case flatObjects(Set<[String]>)
  }

  package let name: StaticString
  private let kind: Kind

  package init(_ name: StaticString, _ kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

// MARK: - Reading

extension Option {
  /// Sets the option from a JSON member; throws if it has another type.
  func read(_ member: ObjectMember, into target: inout Target) throws(OptionError) {
    switch kind {
    case .text(_, let set, _): set(&target, try member.text())
    case .secret(_, let set, _): set(&target, try member.secret())
    case .choice(let texts, let set): set(&target, try member.choice(of: texts))
    case .integer(let range, _, let set):
      // Checked before it is set: the option may have a smaller type.
      set(&target, try OptionRules.check(name, try member.integer(), range))
    case .milliseconds(_, let set):
      let number = try OptionRules.check(name, try member.integer(), 1...Int(Int32.max))
      set(&target, .milliseconds(number))
    case .number(_, _, _, let set): set(&target, try member.number())
    case .boolean(let set): set(&target, try member.boolean())
    case .flatObjects(let set): set(&target, try member.flatObjects())
    }
  }
}

// MARK: - Validation

extension Option {
  /// Validates the option's value, wherever it came from.
  func check(_ target: Target) throws(OptionError) {
    switch kind {
    case .text(let get, _, let rule): try OptionRules.check(name, get(target).flatMap(rule))
    case .secret(let get, _, let rule):
      try OptionRules.check(name, get(target)?.withUTF8 { rule($0) })
    case .integer(let range, let get, _):
      if let number = get(target) { _ = try OptionRules.check(name, number, range) }
    case .milliseconds(let get, _):
      if let time = get(target) { try OptionRules.check(name, time) }
    case .number(let range, let bounds, let get, _):
      if let number = get(target) { try OptionRules.check(name, number, range, bounds) }
    case .choice, .boolean, .flatObjects: break
    }
  }
}
