/// The version of this library.
public enum Version {
  /// The version as a number that grows: major << 16 | minor << 8 | patch.
  package static let number: Int32 = 0 << 16 | 1 << 8 | 0

  /// The version as text, such as "0.1.0".
  public static var text: String {
    staticText.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
  }

  /// The version as a constant that C may borrow.
  package static let staticText: StaticString = "0.1.0"
}
