/// What is to be known of one option: its name, and its type and rule with the way to its value.
package struct Option<Target> {
  /// How the value is read from an object, where it can be absent.
  package typealias Get<Value> = (Target) -> Value?
  package typealias Set<Value> = (inout Target, Value) -> Void

  /// The type in JSON, and the rule that values keep: it gives what is to be said of one that breaks it.
  package enum Kind {
    /// A text.
    case text(Get<String>, Set<String>, rule: (String) -> String?)
    /// A text of which no copy is left behind.
    case secret(Get<Secret>, Set<Secret>, rule: (UnsafeBufferPointer<UInt8>) -> String?)
    /// One of these texts, whose place among them is the value.
    case choice([StaticString], Set<Int>)
    /// A whole number.
    case integer(ClosedRange<Int>, Get<Int>, Set<Int>)
    /// A time in milliseconds, as many as 32 bits hold.
    case milliseconds(Get<Duration>, Set<Duration>)
    /// A number, whole or not, with its bounds as they are to be written.
    case number(ClosedRange<Double>, StaticString, Get<Double>, Set<Double>)
    /// True or false.
    case boolean(Set<Bool>)
    /// An array of objects, each with members that are neither arrays nor objects, as texts.
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
  /// Sets the option to a value of JSON; an error where that is of another type.
  func read(_ member: ObjectMember, into target: inout Target) throws(OptionError) {
    switch kind {
    case .text(_, let set, _): set(&target, try member.text())
    case .secret(_, let set, _): set(&target, try member.secret())
    case .choice(let texts, let set): set(&target, try member.choice(of: texts))
    case .integer(let range, _, let set):
      // Before it is set: the option may have no room for it.
      set(&target, try OptionRules.check(name, try member.integer(), range))
    case .milliseconds(_, let set): set(&target, .milliseconds(try member.integer()))
    case .number(_, _, _, let set): set(&target, try member.number())
    case .boolean(let set): set(&target, try member.boolean())
    case .flatObjects(let set): set(&target, try member.flatObjects())
    }
  }
}

// MARK: - Checking

extension Option {
  /// Checks the option's value, wherever it came from.
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
