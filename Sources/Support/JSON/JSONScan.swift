/// What a scan found in a document.
package struct JSONScan {
  package let kind: JSONKind
  /// The last member with the wanted key; nil if absent.
  package let member: JSONValue?
  /// Whether the last member with the array's key has items; nil if it is no array or absent.
  package let hasItems: Bool?
  /// The name of the first member with a key that is not wanted; nil if there is none.
  package let otherName: String?
}
