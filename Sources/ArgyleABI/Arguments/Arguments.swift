import Argyle
import CJansson
import Support

/// Validates arguments from C and converts them to Swift.
enum Arguments {
  /// Unwraps an argument that must not be NULL.
  static func require<Value>(_ value: Value?, _ name: String) throws(ArgyleError) -> Value {
    guard let value else { throw ArgyleError(.argument, "\(name) must not be NULL") }
    return value
  }

  static func client(_ handle: OpaquePointer?) throws(ArgyleError) -> Client {
    Handle.object(try require(handle, "client"), as: Client.self)
  }

  static func call(_ handle: OpaquePointer?) throws(ArgyleError) -> CallObject {
    Handle.object(try require(handle, "call"), as: CallObject.self)
  }

  static func queue(_ handle: OpaquePointer?) throws(ArgyleError) -> QueueObject {
    Handle.object(try require(handle, "queue"), as: QueueObject.self)
  }

  static func cursor(_ handle: OpaquePointer?) throws(ArgyleError) -> CursorObject {
    Handle.object(try require(handle, "cursor"), as: CursorObject.self)
  }

  /// Converts a string, which must be UTF-8.
  static func text(
    _ text: UnsafePointer<CChar>?,
    _ name: String
  ) throws(ArgyleError) -> String {
    guard let string = String(validatingCString: try require(text, name)) else {
      throw ArgyleError(.argument, "\(name) must be UTF-8")
    }
    return string
  }

  /// Returns the bytes of a text with its size, borrowed; nil for NULL.
  static func bytes(
    _ text: UnsafePointer<CChar>?,
    _ size: Int,
    _ name: String
  ) throws(ArgyleError) -> UnsafeRawBufferPointer? {
    guard let text else { return nil }
    guard size >= 0 else { throw ArgyleError(.argument, "size must be that of \(name) in bytes") }
    return UnsafeRawBufferPointer(start: text, count: size)
  }

  /// Parses a JSON value.
  static func json(_ text: [UInt8], _ name: String) throws(ArgyleError) -> JSONReference {
    do {
      return try JSONReference(parsing: text)
    } catch {
      if error.isOutOfMemory { throw .outOfMemory }
      throw ArgyleError(.argument, "\(name) must be JSON: \(error.reason)")
    }
  }

  /// Validates a user id.
  static func userID(_ text: UnsafePointer<CChar>?) throws(ArgyleError) -> UserID {
    try UserID(Arguments.text(text, "user_id"))
  }
}
