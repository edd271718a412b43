import Argyle
import CArgyle
import Support

// The section "Version" of argyle.h, which documents every function in full.

/// Returns the loaded library's version as text, such as "0.1.0".
@_cdecl("argyle_version") @implementation
public func argyle_version() -> UnsafePointer<CChar>? {
  Version.staticText.cString
}

/// Returns the loaded library's version as a number to compare with ARGYLE_VERSION_NUMBER.
@_cdecl("argyle_version_number") @implementation
public func argyle_version_number() -> Int32 {
  Version.number
}

/// Checks that the loaded library is compatible with the header a program was compiled with.
@_cdecl("argyle_check_version") @implementation
public func argyle_check_version(
  _ version: Int32,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  reporting(to: error, onFailure: -1) { () throws(ArgyleError) in
    guard Version.fits(header: version) else {
      let header = Version.text(of: version)
      throw ArgyleError(
        .argument,
        "version must be compatible: the program was compiled with argyle.h \(header), the library is \(Version.text)"
      )
    }
    return 0
  }
}
