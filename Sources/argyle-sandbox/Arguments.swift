import ArgyleSandbox
import CPlatform

/// What the command line asks for.
enum Arguments {
  case help
  case version
  case run(SandboxOptions)
  case invalid(String)

  static var defaultPort: UInt16 { 8080 }

  static var helpText: String {
    """
    Usage: argyle-sandbox [OPTION]...
    A local server that answers as Argyle's API for users and user tokens, v1.

      --key-id ID        API key id to accept (default: \(SandboxOptions.defaultKeyID))
      --key-secret TEXT  API key secret to accept (default: \(SandboxOptions.defaultKeySecret))
      --port PORT        port on 127.0.0.1, 0 for a free one (default: \(defaultPort))
      --database FILE    SQLite file that keeps the state (default: in memory)
      --other-key-id ID  with --other-key-secret TEXT, a key of the other environment,
                         which is answered 401 "Invalid environment."
      --fault JSON       a fault that is set from the start; may be given again
      --timeout SECONDS  the time a client has to begin a request, to send it, and to take
                         its answer, each (default: 30)
      --log FILE         add a line of JSON for each request (/dev/stderr for the terminal)
      --certificate FILE, --certificate-key FILE
                         serve HTTPS with this certificate and private key (PEM)
      --help             print this and exit
      --version          print the version and exit

    It prints its URL when it is ready, and stops on SIGTERM or SIGINT. While it runs, it is
    controlled through the path /_sandbox, for example
      curl --json '{"kind": "error", "status": 503, "count": 2}' URL/_sandbox/faults
    """
  }

  static func parse() -> Arguments {
    guard let vector = ArgumentVector() else { return .invalid("the arguments cannot be read") }
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
      // The plus sign keeps the order, so that this is the argument that is read now. The colon keeps
      // getopt_long from printing, and tells a missing value from an unknown option.
      let index = Int(argyle_getopt_index())
      let found = getopt_long(vector.count, vector.pointers, "+:", known, nil)
      if found == -1 { break }
      switch UInt8(truncatingIfNeeded: found) {
      case UInt8(ascii: "h"): return .help
      case UInt8(ascii: "v"): return .version
      case UInt8(ascii: ":"): return .invalid("option '\(name(vector, index))' needs a value")
      case UInt8(ascii: "?"): return .invalid("option '\(name(vector, index))' is not understood")
      default: break
      }
      guard let text = argyle_getopt_argument(), let value = String(validatingCString: text) else {
        return .invalid("an option's value is not UTF-8")
      }
      switch UInt8(truncatingIfNeeded: found) {
      case UInt8(ascii: "i"): options.keyID = value
      case UInt8(ascii: "s"): options.keySecret = value
      case UInt8(ascii: "d"): options.database = value
      case UInt8(ascii: "I"): options.otherKeyID = value
      case UInt8(ascii: "S"): options.otherKeySecret = value
      case UInt8(ascii: "f"): options.faults.append(value)
      case UInt8(ascii: "t"): options.timeoutSeconds = number(value) ?? 0
      case UInt8(ascii: "l"): options.log = value
      case UInt8(ascii: "c"): options.certificate = value
      case UInt8(ascii: "k"): options.certificateKey = value
      default:
        guard let number = number(value), let port = UInt16(exactly: number) else {
          return .invalid("the port must be a number from 0 to 65535, not '\(value)'")
        }
        options.port = port
      }
    }
    let index = Int(argyle_getopt_index())
    if index < Int(vector.count), let extra = vector.pointers[index] {
      return .invalid("argument '\(String(cString: extra))' is not expected")
    }
    return .run(options)
  }

  private static func number(_ text: String) -> Int? {
    text.utf8.allSatisfy { 0x30...0x39 ~= $0 } ? Int(text) : nil
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

  /// An option as it was given, without its value.
  private static func name(_ vector: borrowing ArgumentVector, _ index: Int) -> String {
    guard index < Int(vector.count), let text = vector.pointers[index] else { return "" }
    return String(decoding: String(cString: text).utf8.prefix { $0 != 0x3D }, as: UTF8.self)
  }
}
