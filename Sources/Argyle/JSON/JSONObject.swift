/// A JSON object whose members keep their order; names are unique.
public struct JSONObject: Sendable {
  /// A name and its value.
  public struct Member: Sendable {
    /// The name.
    public let key: String
    /// The value.
    public let value: JSON
  }

  /// The members in order.
  public private(set) var members: [Member] = []

  /// Index of each name, once there are too many members for a linear search.
  private var positions: [Name: Int] = [:]
  private static let maxUnindexed = 16

  /// Creates an empty object.
  public init() {}

  /// Creates an object from pairs; for duplicate names the last pair counts.
  public init(_ pairs: [(String, JSON)]) {
    members.reserveCapacity(pairs.count)
    for (key, value) in pairs { self[key] = value }
  }

  /// Creates an object from members with distinct names.
  init(distinct members: [Member]) {
    self.members = members
    index()
  }

  /// The value with this name; nil if absent, and setting nil removes it.
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

/// A member's name, compared by code points; Swift's `==` for strings treats different encodings of "é" as equal.
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
  /// Whether two objects have the same members in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.members.count == right.members.count
      && left.members.allSatisfy { right[$0.key] == $0.value }
  }
}

// MARK: - Literal

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// Creates an object whose members keep their order.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self.init(elements)
  }
}
