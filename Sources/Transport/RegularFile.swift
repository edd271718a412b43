import CPlatform
import Support

/// A file that an option names.
package enum RegularFile {
  /// Checks that a file is there and can be read.
  ///
  /// - Returns: what is to be said of one that is not; nil for one that is.
  package static func rule(_ file: String) -> String? {
    !file.utf8.contains(0) && isRegular(file) == true && access(file, R_OK) == 0
      ? nil : "must be a regular file that can be read"
  }

  /// Whether a file is a regular one; nil where there is none.
  ///
  /// To open another may take for ever: a FIFO waits for somebody who writes to it.
  static func isRegular(_ file: String) -> Bool? {
    var status = stat()
    guard stat(file, &status) == 0 else { return nil }
    return status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG)
  }
}
