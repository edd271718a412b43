import ArgyleSandbox
import CJansson
import Support

extension SandboxOptions {
  /// Reads options from a JSON object; NULL means all defaults.
  init(_ object: UnsafePointer<json_t>?) throws(SandboxError) {
    var options = SandboxOptions()
    if let object {
      do {
        try SandboxOptions.table.read(object, "options", into: &options)
      } catch {
        throw SandboxError(error)
      }
    }
    self = options
  }
}
