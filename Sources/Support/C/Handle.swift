/// A Swift object behind an opaque pointer of C, which owns one reference to it.
package enum Handle {
  /// Hands an object to C.
  package static func make(_ object: some AnyObject) -> OpaquePointer {
    OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }

  /// Looks at the object behind a pointer.
  ///
  /// The compiler cannot tell one kind of handle from another: the type comes from the header alone.
  package static func object<Object: AnyObject>(_ handle: OpaquePointer, as type: Object.Type)
    -> Object
  {
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  /// Takes an object back from C; nothing happens for NULL, and nothing to `errno`.
  package static func free<Object: AnyObject>(_ handle: OpaquePointer?, as type: Object.Type) {
    guard let handle else { return }
    guardingHost { Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release() }
  }
}
