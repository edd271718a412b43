import Argyle
import CJansson
import Support

/// The rules that arguments from C have to keep before Swift can take them.
enum Arguments {
  /// An argument that must not be NULL.
  static func require<Value>(_ value: Value?, _ name: String) throws(ArgyleError) -> Value {
    guard let value else { throw ArgyleError(.argument, "\(name) must not be NULL") }
    return value
  }

  /// The client behind a handle.
  static func client(_ handle: OpaquePointer?) throws(ArgyleError) -> Client {
    Handle.object(try require(handle, "client"), as: Client.self)
  }

  /// The call behind a handle.
  static func call(_ handle: OpaquePointer?) throws(ArgyleError) -> CallObject {
    Handle.object(try require(handle, "call"), as: CallObject.self)
  }

  /// The queue behind a handle.
  static func queue(_ handle: OpaquePointer?) throws(ArgyleError) -> QueueObject {
    Handle.object(try require(handle, "queue"), as: QueueObject.self)
  }

  /// The cursor behind a handle.
  static func cursor(_ handle: OpaquePointer?) throws(ArgyleError) -> CursorObject {
    Handle.object(try require(handle, "cursor"), as: CursorObject.self)
  }

  /// A string.
  static func text(
    _ text: UnsafePointer<CChar>?,
    _ name: String
  ) throws(ArgyleError) -> String {
    guard let string = String(validatingCString: try require(text, name)) else {
      throw ArgyleError(.argument, "\(name) must be UTF-8")
    }
    return string
  }

  /// The bytes of a text that is given with its size, borrowed; nil for NULL.
  static func bytes(
    _ text: UnsafePointer<CChar>?,
    _ size: Int,
    _ name: String
  ) throws(ArgyleError) -> UnsafeRawBufferPointer? {
    guard let text else { return nil }
    guard size >= 0 else { throw ArgyleError(.argument, "size must be that of \(name)") }
    return UnsafeRawBufferPointer(start: text, count: size)
  }

  /// A JSON value that is given as text.
  static func json(_ text: [UInt8], _ name: String) throws(ArgyleError) -> JSONReference {
    do {
      return try JSONReference(parsing: text)
    } catch {
      if error.isOutOfMemory { throw .outOfMemory }
      throw ArgyleError(.argument, "\(name) must be JSON: \(error.reason)")
    }
  }

  /// A user's id.
  static func userID(_ text: UnsafePointer<CChar>?) throws(ArgyleError) -> UserID {
    try UserID(Arguments.text(text, "user_id"))
  }
}
