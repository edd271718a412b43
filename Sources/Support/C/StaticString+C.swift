extension StaticString {
  /// The text as C reads it.
  ///
  /// Literals end with a NUL and live as long as the library is loaded.
  package var cString: UnsafePointer<CChar> {
    UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
