import ArgyleSandbox
import CArgyleSandbox
import Support

// The section "Version" of argyle-sandbox.h, which documents every function in full.

/// Returns the loaded library's version as text, such as "0.1.0".
@_cdecl("argyle_sandbox_version") @implementation
public func argyle_sandbox_version() -> UnsafePointer<CChar>? {
  SandboxServer.staticVersion.cString
}

/// Returns the loaded library's version as a number to compare with ARGYLE_SANDBOX_VERSION_NUMBER.
@_cdecl("argyle_sandbox_version_number") @implementation
public func argyle_sandbox_version_number() -> Int32 {
  SandboxServer.versionNumber
}
