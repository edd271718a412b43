import ArgyleSandbox
import CPlatform

/// Runs a sandbox until a signal asks it to stop.
@main
struct ArgyleSandboxCommand {
  static func main() {
    switch Arguments.parse() {
    case .help: Console.print(Arguments.helpText)
    case .version: Console.print("argyle-sandbox \(SandboxServer.version)")
    case .invalid(let problem): fail(problem)
    case .run(let options): run(options)
    }
  }

  private static func run(_ options: SandboxOptions) {
    // Before the server makes its thread, which inherits the mask: the signals wait for sigwait.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)

    do throws(SandboxError) {
      let server = try SandboxServer(options)
      announce(server, options)
      var signal: Int32 = 0
      sigwait(&signals, &signal)
      server.stop()
    } catch {
      if case .option(let problem) = error { fail(problem) }
      Console.printError("argyle-sandbox: \(error.message)")
      exit(1)
    }
  }

  private static func announce(_ server: SandboxServer, _ options: SandboxOptions) {
    Console.print("argyle-sandbox key id: \(options.keyID)")
    if options.keySecret.utf8.elementsEqual(SandboxOptions.defaultKeySecret.utf8) {
      Console.print("argyle-sandbox key secret: \(options.keySecret)")
    }
    Console.print("argyle-sandbox listening on \(server.url)")
  }

  private static func fail(_ problem: String) -> Never {
    Console.printError("argyle-sandbox: \(problem); try 'argyle-sandbox --help'")
    exit(2)
  }
}
