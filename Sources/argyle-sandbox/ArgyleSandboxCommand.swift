import ArgyleSandbox
import CPlatform

/// Runs a sandbox until a signal stops it.
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
    // Not in the catch block, where the error has not been released yet.
    exit(status)
  }

  private static func run(_ options: SandboxOptions) throws(SandboxError) {
    // Before the server creates its threads, which inherit the mask: the signals stay pending for sigwait.
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

  /// Prints an error; returns the exit status.
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
