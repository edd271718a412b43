/// A Swift object behind a C pointer that owns one reference to it.
package enum Handle {
  /// Transfers an object to C.
  package static func make(_ object: some AnyObject) -> OpaquePointer {
    OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }

  /// Returns the object behind a pointer.
  ///
  /// The compiler cannot distinguish kinds of handles: only the header declares the type.
  package static func object<Object: AnyObject>(_ handle: OpaquePointer, as type: Object.Type)
    -> Object
  {
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  /// Releases C's reference; does nothing for NULL and preserves `errno`.
  package static func free<Object: AnyObject>(_ handle: OpaquePointer?, as type: Object.Type) {
    guard let handle else { return }
    guardingHost { Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release() }
  }
}
