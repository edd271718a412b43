import ArgyleSandbox
import CPlatform

/// Runs a sandbox until a signal asks it to stop.
@main
struct ArgyleSandboxCommand {
  static func main() {
    var status: Int32 = 0
    do throws(SandboxError) {
      try StandardDescriptors.fill()
      switch try Arguments.parse() {
      case .help: Console.print(Arguments.helpText)
      case .version: Console.print("argyle-sandbox \(SandboxServer.version)")
      case .run(let options): try run(options)
      }
    } catch {
      status = report(error)
    }
    // Not where the error is at hand, which would not be released before.
    exit(status)
  }

  private static func run(_ options: SandboxOptions) throws(SandboxError) {
    // Before the server makes its thread, which inherits the mask: the signals wait for sigwait.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)

    let server = try SandboxServer(options)
    announce(server, options)
    var signal: Int32 = 0
    sigwait(&signals, &signal)
    server.stop()
  }

  /// Says what is wrong; gives the exit status.
  private static func report(_ error: SandboxError) -> Int32 {
    if case .option(let problem) = error {
      Console.printError("argyle-sandbox: \(problem); try 'argyle-sandbox --help'")
      return 2
    }
    Console.printError("argyle-sandbox: \(error.message)")
    return 1
  }

  private static func announce(_ server: SandboxServer, _ options: SandboxOptions) {
    Console.print("argyle-sandbox key id: \(options.keyID)")
    if options.keySecret.utf8.elementsEqual(SandboxOptions.defaultKeySecret.utf8) {
      Console.print("argyle-sandbox key secret: \(options.keySecret)")
    }
    Console.print("argyle-sandbox listening on \(server.url)")
  }
}
