import Argyle
import CArgyle
import Interop

// The section "Version" of argyle.h, which documents every function in full.

/// Tells the version of the loaded library as text, such as "0.1.0".
@_cdecl("argyle_version") @implementation
public func argyle_version() -> UnsafePointer<CChar>? {
  Version.staticText.cString
}

/// Tells the version of the loaded library as a number, to compare with ARGYLE_VERSION_NUMBER.
@_cdecl("argyle_version_number") @implementation
public func argyle_version_number() -> Int32 {
  Version.number
}
