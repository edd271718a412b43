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

  /// Makes an object without members.
  public init() {}

  /// Makes an object of pairs; of pairs with the same name the last one counts.
  public init(_ pairs: [(String, JSON)]) {
    for (key, value) in pairs { self[key] = value }
  }

  /// Takes over members whose names are known to differ.
  init(distinct members: [Member]) {
    self.members = members
  }

  /// The value of that name; nil where there is none, and nil removes it.
  public subscript(key: String) -> JSON? {
    get {
      position(of: key).map { members[$0].value }
    }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): members[position] = Member(key: key, value: value)
      case (let position?, nil): members.remove(at: position)
      case (nil, let value?): members.append(Member(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  /// JSON names are equal where their code points are: Swift's `==` would also take two spellings of "é".
  private func position(of key: String) -> Int? {
    members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
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
