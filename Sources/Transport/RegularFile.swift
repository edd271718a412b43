import CPlatform
import Support

/// Checks of files named by options.
package enum RegularFile {
  /// Checks that a file exists and is readable.
  ///
  /// - Returns: the broken rule, or nil if there is none.
  package static func rule(_ file: String) -> String? {
    !file.utf8.contains(0) && isRegular(file) == true && access(file, R_OK) == 0
      ? nil : "must be a regular file that can be read"
  }

  /// Whether a file is a regular one; nil if it does not exist.
  ///
  /// Opening another kind may block forever: a FIFO waits for a writer.
  static func isRegular(_ file: String) -> Bool? {
    var status = stat()
    guard stat(file, &status) == 0 else { return nil }
    return status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG)
  }
}
