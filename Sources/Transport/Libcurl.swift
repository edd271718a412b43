import CCurl
import CPlatform

/// The loaded libcurl.
package enum Libcurl {
  /// The version, such as "7.88.1".
  package static var version: String { String(cString: information.version) }

  // Not `curl_version`: it makes the LDAP library resolve this machine's name, and waits for it.
  private static var information: curl_version_info_data {
    curl_version_info(CURLVERSION_FIRST).pointee
  }

  /// Initialises libcurl.
  ///
  /// - Returns: an error message, or nil on success.
  package static func initialize() -> String? {
    guard information.version_num >= 0x07_57_00 else {
      return "libcurl 7.87.0 or newer is required, but libcurl \(version) is loaded"
    }
    guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else {
      return "libcurl could not be initialised"
    }
    // A name resolution that timed out continues in a thread that libcurl created, and would crash if libcurl were
    // unloaded with this library.
    _ = argyle_pin_library(argyle_curl_address())
    return nil
  }
}
