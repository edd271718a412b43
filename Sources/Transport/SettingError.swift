/// Why a setting cannot be used.
package enum SettingError: Error {
  /// An allocation of libcurl's failed.
  case outOfMemory
  /// It breaks a rule, which the text names together with the option.
  case invalid(String)
}
