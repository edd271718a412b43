/// The version of both libraries, which a test compares with `argyle.h`.
package enum LibraryVersion {
  package static let major: Int32 = 0
  package static let minor: Int32 = 1
  package static let patch: Int32 = 0

  /// The version as an increasing number: major << 16 | minor << 8 | patch.
  package static let number = major << 16 | minor << 8 | patch

  /// The version as a constant that C may borrow.
  package static let text: StaticString = "0.1.0"
}
