import ArgyleSandbox
import CPlatform

/// The parsed command line.
enum Arguments {
  case help
  case version
  case run(SandboxOptions)

  static var defaultPort: UInt16 { 8080 }

  static var helpText: String {
    """
    Usage: argyle-sandbox [OPTION]...
    A local server that behaves like Argyle's API for users and user tokens, versions 1 and 2.

      --key-id ID        API key id to accept (default: \(SandboxOptions.defaultKeyID))
      --key-secret TEXT  API key secret to accept (default: \(SandboxOptions.defaultKeySecret))
      --port PORT        port on 127.0.0.1; 0 means any free port (default: \(defaultPort))
      --database FILE    SQLite file to keep the users in (default: in memory)
      --other-key-id ID, --other-key-secret TEXT
                         API key of the other environment, rejected with
                         401 "Invalid environment."
      --fault JSON       fault to inject from the start; may be repeated
      --timeout SECONDS  time a client has to start a request, to send it and to read the
                         response, each; 1 to 3600 (default: 30)
      --log FILE         append a line of JSON for each request (/dev/stderr for the terminal);
                         lines that cannot be written immediately are dropped
      --certificate FILE, --certificate-key FILE
                         serve HTTPS with this certificate and private key (PEM)
      --help             print this help and exit
      --version          print the version and exit

    It prints its URL when it is ready, and stops on SIGTERM or SIGINT. While it runs, control
    it through the path /_sandbox, for example:
      curl --json '{"kind": "error", "status": 503, "count": 2}' URL/_sandbox/faults
    """
  }

  static func parse() throws(SandboxError) -> Arguments {
    guard let vector = ArgumentVector() else { throw .option("cannot read the arguments") }
    var options = SandboxOptions()
    options.port = defaultPort
    let known = [
      option("key-id", "i", takesArgument: true),
      option("key-secret", "s", takesArgument: true),
      option("port", "p", takesArgument: true),
      option("database", "d", takesArgument: true),
      option("other-key-id", "I", takesArgument: true),
      option("other-key-secret", "S", takesArgument: true),
      option("fault", "f", takesArgument: true),
      option("timeout", "t", takesArgument: true),
      option("log", "l", takesArgument: true),
      option("certificate", "c", takesArgument: true),
      option("certificate-key", "k", takesArgument: true),
      option("help", "h", takesArgument: false),
      option("version", "v", takesArgument: false),
      CPlatform.option(),
    ]
    while true {
      // The plus sign keeps getopt_long from permuting the arguments, so that this is the index of the next one. The
      // colon keeps it from printing, and distinguishes a missing value from an unknown option.
      let index = Int(argyle_getopt_index())
      let found = getopt_long(vector.count, vector.pointers, "+:", known, nil)
      if found == -1 { break }
      switch UInt8(truncatingIfNeeded: found) {
      case UInt8(ascii: "h"): return .help
      case UInt8(ascii: "v"): return .version
      case UInt8(ascii: ":"): throw .option("option '\(name(vector, index))' needs a value")
      case UInt8(ascii: "?"): throw rejection(of: name(vector, index), known)
      default: break
      }
      guard let text = argyle_getopt_argument(), let value = String(validatingCString: text) else {
        throw .option("the value of option '\(name(vector, index))' is not valid UTF-8")
      }
      switch UInt8(truncatingIfNeeded: found) {
      case UInt8(ascii: "i"): options.keyID = value
      case UInt8(ascii: "s"): options.keySecret = value
      case UInt8(ascii: "d"): options.database = value
      case UInt8(ascii: "I"): options.otherKeyID = value
      case UInt8(ascii: "S"): options.otherKeySecret = value
      case UInt8(ascii: "f"): options.faults.append(value)
      case UInt8(ascii: "t"):
        options.timeoutSeconds = try number(value, SandboxOptions.timeoutRange, "--timeout")
      case UInt8(ascii: "l"): options.log = value
      case UInt8(ascii: "c"): options.certificate = value
      case UInt8(ascii: "k"): options.certificateKey = value
      default: options.port = UInt16(try number(value, SandboxOptions.portRange, "--port"))
      }
    }
    let index = Int(argyle_getopt_index())
    if index < Int(vector.count), let extra = vector.pointers[index] {
      throw .option("unexpected argument '\(String(cString: extra))'")
    }
    return .run(options)
  }

  private static func number(
    _ text: String,
    _ range: ClosedRange<Int>,
    _ name: String
  ) throws(SandboxError) -> Int {
    guard text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = Int(text),
      range ~= number
    else {
      throw .option(
        "option '\(name)' must be an integer from \(range.lowerBound) to \(range.upperBound), "
          + "got '\(text)'"
      )
    }
    return number
  }

  /// Explains why getopt_long rejected an option: it is unknown, takes no value, or is ambiguous.
  private static func rejection(of given: String, _ known: [CPlatform.option]) -> SandboxError {
    var names: [String] = []
    for option in known {
      guard let text = option.name else { continue }
      let name = "--" + String(cString: text)
      if name.utf8.starts(with: given.utf8) { names.append("'\(name)'") }
    }
    guard let first = names.first else { return .option("unknown option '\(given)'") }
    if names.count == 1 { return .option("option \(first) takes no value") }
    let others = names.dropFirst().reduce(first) { "\($0) or \($1)" }
    return .option("option '\(given)' is ambiguous: it may be \(others)")
  }

  private static func option(
    _ name: StaticString,
    _ letter: Unicode.Scalar,
    takesArgument: Bool
  ) -> CPlatform.option {
    let text = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
    return CPlatform.option(
      name: text,
      has_arg: takesArgument ? 1 : 0,
      flag: nil,
      val: Int32(letter.value)
    )
  }

  /// Returns an option as given, without its value.
  private static func name(_ vector: borrowing ArgumentVector, _ index: Int) -> String {
    guard index < Int(vector.count), let text = vector.pointers[index] else { return "" }
    return String(decoding: String(cString: text).utf8.prefix { $0 != 0x3D }, as: UTF8.self)
  }
}
