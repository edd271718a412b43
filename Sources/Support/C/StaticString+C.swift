extension StaticString {
  /// The string as a C string.
  ///
  /// Literals are NUL-terminated and live as long as the library is loaded.
  package var cString: UnsafePointer<CChar> {
    UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
