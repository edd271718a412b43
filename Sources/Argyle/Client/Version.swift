import Support

/// The version of this library.
public enum Version {
  /// The version as an increasing number: major << 16 | minor << 8 | patch.
  package static let number = LibraryVersion.number

  /// Whether a library version is compatible with programs compiled with a header version.
  package static func fits(header: Int32, library: Int32 = number) -> Bool {
    // A new minor version of 0.x may change any function.
    let fixedBits: Int32 = library >> 16 == 0 ? 8 : 16
    return header >> fixedBits == library >> fixedBits && header <= library
  }

  /// Formats a version number.
  package static func text(of number: Int32) -> String {
    "\(number >> 16).\(number >> 8 & 0xFF).\(number & 0xFF)"
  }

  /// The version as text, such as "0.1.0".
  public static var text: String {
    staticText.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
  }

  /// The version as a constant that C may borrow.
  package static let staticText = LibraryVersion.text
}
