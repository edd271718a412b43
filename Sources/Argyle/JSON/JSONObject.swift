/// The members of a JSON object in their order, each name once.
public struct JSONObject: Sendable {
  /// One name with its value.
  public struct Member: Sendable {
    /// The name.
    public let key: String
    /// The value.
    public let value: JSON
  }

  /// The members in their order.
  public private(set) var members: [Member] = []

  /// Where each name stands, once there are so many that looking through them would take long.
  private var positions: [Name: Int] = [:]
  private static let maxUnindexed = 16

  /// Makes an object without members.
  public init() {}

  /// Makes an object of pairs; of pairs with the same name the last one counts.
  public init(_ pairs: [(String, JSON)]) {
    members.reserveCapacity(pairs.count)
    for (key, value) in pairs { self[key] = value }
  }

  /// Takes over members whose names are known to differ.
  init(distinct members: [Member]) {
    self.members = members
    index()
  }

  /// The value of that name; nil where there is none, and nil removes it.
  public subscript(key: String) -> JSON? {
    get {
      position(of: key).map { members[$0].value }
    }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?):
        members[position] = Member(key: key, value: value)
      case (let position?, nil):
        members.remove(at: position)
        index()
      case (nil, let value?):
        members.append(Member(key: key, value: value))
        if positions.isEmpty { index() } else { positions[Name(key)] = members.count - 1 }
      case (nil, nil):
        break
      }
    }
  }

  private func position(of key: String) -> Int? {
    positions.isEmpty
      ? members.firstIndex { Name($0.key) == Name(key) } : positions[Name(key)]
  }

  private mutating func index() {
    positions = [:]
    guard members.count > JSONObject.maxUnindexed else { return }
    for (position, member) in members.enumerated() { positions[Name(member.key)] = position }
  }
}

/// A name of a member: equal to another where the code points are, while Swift's `==` for strings would also take
/// two spellings of "é".
private struct Name: Hashable {
  private let text: String

  init(_ text: String) {
    self.text = text
  }

  static func == (left: Name, right: Name) -> Bool {
    left.text.utf8.elementsEqual(right.text.utf8)
  }

  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}

// MARK: - Equality

extension JSONObject: Equatable {
  /// Tells whether two objects have the same members in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.members.count == right.members.count
      && left.members.allSatisfy { right[$0.key] == $0.value }
  }
}

// MARK: - Literal

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// Makes an object, whose members keep the order in which they are written.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self.init(elements)
  }
}
