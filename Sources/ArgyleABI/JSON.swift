import CArgyle
import CJansson
import Support

// The section "JSON" of argyle.h, which documents every function in full.

/// Releases a reference to a value, like jansson's inline `json_decref`.
@_cdecl("argyle_json_decref") @implementation
public func argyle_json_decref(_ value: UnsafeMutablePointer<json_t>?) {
  guardingHost { argyle_json_release(value) }
}
