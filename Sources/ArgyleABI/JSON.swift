import CArgyle
import CJansson
import Support

// The section "JSON" of argyle.h, which documents every function in full.

/// Releases a reference to a value, as jansson's inline `json_decref` does.
@_cdecl("argyle_json_decref") @implementation
public func argyle_json_decref(_ value: UnsafeMutablePointer<json_t>?) {
  guardingHost { argyle_json_release(value) }
}
