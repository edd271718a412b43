import ArgyleSandbox
import CArgyleSandbox
import CJansson
import Support

// The section "Sandbox" of argyle-sandbox.h, which documents every function in full.

/// Starts a sandbox.
@_cdecl("argyle_sandbox_start") @implementation
public func argyle_sandbox_start(
  _ options: UnsafePointer<json_t>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer? {
  guardingHost {
    do throws(SandboxError) {
      if let name = argyle_jansson_unresolved() {
        throw .resources(
          "\(String(cString: name)) in this process is not jansson's, and jansson's cannot be found"
        )
      }
      let sandbox = SandboxObject(try SandboxServer(SandboxOptions(options)))
      error?.pointee = nil
      return Handle.make(sandbox)
    } catch let failure {
      error?.pointee = Handle.make(ErrorObject(failure))
      return nil
    }
  }
}

/// Returns a sandbox's URL, such as "http://127.0.0.1:40123".
@_cdecl("argyle_sandbox_url") @implementation
public func argyle_sandbox_url(_ sandbox: OpaquePointer?) -> UnsafePointer<CChar>? {
  guard let sandbox else { return ("" as StaticString).cString }
  return Handle.object(sandbox, as: SandboxObject.self).url.pointer
}

/// Stops accepting connections, finishes requests in flight and closes the database.
@_cdecl("argyle_sandbox_stop") @implementation
public func argyle_sandbox_stop(_ sandbox: OpaquePointer?) {
  guard let sandbox else { return }
  guardingHost { Handle.object(sandbox, as: SandboxObject.self).stop() }
}

/// Frees a sandbox, which is stopped first if it is still running.
@_cdecl("argyle_sandbox_free") @implementation
public func argyle_sandbox_free(_ sandbox: OpaquePointer?) {
  Handle.free(sandbox, as: SandboxObject.self)
}
