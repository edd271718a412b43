import CPlatform

/// A file that an option names.
package enum RegularFile {
  /// Checks that a file is there and can be read.
  package static func check(_ name: String, _ file: String?) throws(SettingError) -> String? {
    guard let file else { return nil }
    guard !file.utf8.contains(0), isRegular(file) == true, access(file, R_OK) == 0 else {
      throw .invalid("\(name) must be a regular file that can be read")
    }
    return file
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
