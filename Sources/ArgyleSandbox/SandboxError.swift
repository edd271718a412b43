import Support

/// Why a sandbox could not be started.
public enum SandboxError: Error, Sendable {
  /// An option has an invalid value.
  case option(String)

  /// Listening on the address failed.
  case listening(String)

  /// The database is unusable.
  case database(String)

  /// A file is unusable.
  case file(String)

  /// Memory or threads ran out, or the process has no jansson.
  case resources(String)

  /// Creates the error for invalid options.
  package init(_ error: OptionError) {
    switch error {
    case .outOfMemory: self = .resources("memory ran out")
    case .invalid(let name, let rule): self = .option("\(name) \(rule)")
    }
  }

  /// One sentence that says what is wrong, without a full stop.
  public var message: String {
    switch self {
    case .option(let message), .listening(let message), .database(let message),
      .file(let message), .resources(let message):
      message
    }
  }
}
