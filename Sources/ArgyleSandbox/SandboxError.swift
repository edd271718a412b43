import Support

/// Why a sandbox could not be started.
public enum SandboxError: Error, Sendable {
  /// An option has a value that it must not have.
  case option(String)

  /// The address cannot be listened on.
  case listening(String)

  /// The database cannot be used.
  case database(String)

  /// A file cannot be used.
  case file(String)

  /// The system is out of memory or threads, or the process has no jansson.
  case resources(String)

  /// The error of options that cannot be used.
  package init(_ error: OptionError) {
    switch error {
    case .outOfMemory: self = .resources("memory ran out")
    case .invalid(let name, let rule): self = .option("\(name) \(rule)")
    }
  }

  /// One clear sentence that says what was wrong, without a full stop.
  public var message: String {
    switch self {
    case .option(let message), .listening(let message), .database(let message),
      .file(let message), .resources(let message):
      message
    }
  }
}
