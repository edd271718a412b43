import Support

/// The interface that controls a running sandbox.
///
/// | path                     | method | body, response                                                     |
/// |--------------------------|--------|--------------------------------------------------------------------|
/// | `/_sandbox`              | GET    | version, number of users, clock, faults                            |
/// |                          | DELETE | resets: no users, no faults, clock offset 0; 204                   |
/// | `/_sandbox/faults`       | GET    | the active faults, an array                                        |
/// |                          | PUT    | replaces them with an array                                        |
/// |                          | POST   | adds one, an object                                                |
/// |                          | DELETE | removes all and ends current delays; 204                           |
/// | `/_sandbox/users`        | POST   | `{"count": n, "seed": s}` adds the first n users of a seed         |
/// |                          | DELETE | deletes all users; 204                                             |
/// | `/_sandbox/users/{id}`   | PATCH  | sets `employers_connected`, `data_providers_connected` and         |
/// |                          |        | `items_connected`, arrays of strings; the user as in v1            |
/// | `/_sandbox/clock`        | GET    | the sandbox's time                                                 |
/// |                          | PUT    | `{"offset_seconds": n}` shifts it relative to the system clock     |
///
/// No key is needed: the server is reachable only from its own machine. Against other sites' pages in a browser on
/// that machine, `Host` and `Origin` must name this machine, and bodies must be declared as `application/json`, which
/// a browser does not send to another origin without asking it first.
struct ControlInterface {
  static var prefix: String { "_sandbox" }
  /// Maximum number of users of a seed, so that their times are in the past.
  private static var seedLimit: Int { 10_000_000 }
  /// Maximum length of an array of names, in bytes of JSON.
  private static var namesLimit: Int { 64 << 10 }

  let users: UserStore
  let faults: FaultPlan
  let clock: Clock

  func respond(to request: HTTPRequest) -> HTTPOutcome {
    do throws(SandboxError) {
      return try route(request)
    } catch {
      if case .option(let problem) = error {
        return HTTPOutcome(.error(400, detail: problem))
      }
      return HTTPOutcome(.error(500, detail: "A server error occurred: \(error.message)."))
    }
  }

  private func route(_ request: HTTPRequest) throws(SandboxError) -> HTTPOutcome {
    if let rejection = rejection(of: request) { return HTTPOutcome(rejection) }
    let segments = request.target.segments.dropFirst()
    guard let name = segments.first else { return try root(request) }
    switch segments.count {
    case 1 where name.matches("faults"): return try faults(request)
    case 1 where name.matches("users"): return HTTPOutcome(try users(request))
    case 2 where name.matches("users"): return HTTPOutcome(try user(segments[2], request))
    case 1 where name.matches("clock"): return HTTPOutcome(try clock(request))
    default: return HTTPOutcome(.notFound)
    }
  }

  private func root(_ request: HTTPRequest) throws(SandboxError) -> HTTPOutcome {
    switch request.method {
    case .get, .head: break
    case .delete:
      try users.deleteAll()
      clock.offsetSeconds = 0
      return clearFaults()
    default: return HTTPOutcome(notAllowed(request, "GET, DELETE, HEAD"))
    }
    var json = JSONWriter()
    json.raw("{\"version\":")
    json.string(SandboxServer.version)
    json.raw(",\"users\":\(try users.count()),\"clock\":")
    writeClock(to: &json)
    json.raw(",\"faults\":")
    faults.write(to: &json)
    json.raw("}")
    return HTTPOutcome(HTTPResponse(status: 200, json: json))
  }

  private func faults(_ request: HTTPRequest) throws(SandboxError) -> HTTPOutcome {
    switch request.method {
    case .get, .head: break
    case .put: try faults.replace(with: request.body)
    case .post: try faults.add(request.body)
    case .delete: return clearFaults()
    default: return HTTPOutcome(notAllowed(request, "GET, PUT, POST, DELETE, HEAD"))
    }
    var json = JSONWriter()
    faults.write(to: &json)
    return HTTPOutcome(HTTPResponse(status: 200, json: json))
  }

  /// Removes all faults and ends current delays.
  private func clearFaults() -> HTTPOutcome {
    faults.clear()
    var outcome = HTTPOutcome(HTTPResponse(status: 204))
    outcome.endsDelays = true
    return outcome
  }

  private func users(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    switch request.method {
    case .post: break
    case .delete:
      try users.deleteAll()
      return HTTPResponse(status: 204)
    default: return notAllowed(request, "POST, DELETE")
    }
    var members = try JSONMembers(request.body)
    guard let count = try members.integer("count", 1...Self.seedLimit) else {
      throw .option("'count' is required")
    }
    let seed = try members.integer("seed", Int.min...Int.max) ?? 0
    try members.rejectUnknown()
    let before = try users.count()
    try users.create(count: count, fromSeed: seed)
    var json = JSONWriter()
    json.raw("{\"created\":\(try users.count() - before)}")
    return HTTPResponse(status: 201, json: json)
  }

  private func user(_ id: Bytes, _ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    guard case .patch = request.method else { return notAllowed(request, "PATCH") }
    guard let id = UUID(id), var user = try users.user(id) else { return .notFound }
    var members = try JSONMembers(request.body)
    if let names = try names("items_connected", &members) { user.itemsConnected = names }
    if let names = try names("employers_connected", &members) { user.employersConnected = names }
    if let names = try names("data_providers_connected", &members) {
      user.dataProvidersConnected = names
    }
    try members.rejectUnknown()
    try users.connect(user)
    var json = JSONWriter()
    json.user(user, .v1)
    return HTTPResponse(status: 200, json: json)
  }

  private func clock(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    switch request.method {
    case .get, .head: break
    case .put:
      var members = try JSONMembers(request.body)
      guard let seconds = try members.integer("offset_seconds", Clock.offsets) else {
        throw .option("'offset_seconds' is required")
      }
      try members.rejectUnknown()
      clock.offsetSeconds = seconds
    default: return notAllowed(request, "GET, PUT, HEAD")
    }
    var json = JSONWriter()
    writeClock(to: &json)
    return HTTPResponse(status: 200, json: json)
  }

  /// The response to a request from elsewhere or with an unusable body; nil for an acceptable request.
  private func rejection(of request: HTTPRequest) -> HTTPResponse? {
    guard isLoopback(request.host ?? []) else {
      return .error(403, detail: "Host must be 127.0.0.1, localhost or [::1].")
    }
    if let page = request.pageOrigin, !isLoopbackOrigin(page) {
      return .error(403, detail: "Origin must be 127.0.0.1, localhost or [::1].")
    }
    if request.bodyIsTooLarge { return .bodyTooLarge }
    if request.body.isEmpty || request.isJSON { return nil }
    return .error(415, detail: "Content-Type must be application/json.")
  }

  private func isLoopbackOrigin(_ origin: Bytes) -> Bool {
    for scheme in ["http://", "https://"] where origin.starts(with: scheme.utf8) {
      return isLoopback(origin.dropFirst(scheme.utf8.count))
    }
    return false
  }

  /// Whether a host, with or without a port, is a loopback address or name that needs no DNS.
  private func isLoopback(_ host: some Collection<UInt8>) -> Bool {
    for name in ["127.0.0.1", "localhost", "[::1]"] {
      let rest = host.dropFirst(name.utf8.count)
      guard host.prefix(name.utf8.count).matchesIgnoringCase(name) else { continue }
      return rest.isEmpty
        || rest.first == UInt8(ascii: ":") && rest.dropFirst().allSatisfy { $0.isASCIIDigit }
    }
    return false
  }

  private func notAllowed(_ request: HTTPRequest, _ methods: String) -> HTTPResponse {
    .methodNotAllowed(request.method, allowing: methods)
  }

  private func writeClock(to json: inout JSONWriter) {
    json.raw("{\"offset_seconds\":\(clock.offsetSeconds),\"now\":")
    json.string(clock.now().text)
    json.raw("}")
  }

  /// Reads an array of strings and returns it as JSON text; nil if absent.
  private func names(
    _ name: StaticString,
    _ members: inout JSONMembers
  ) throws(SandboxError) -> Bytes? {
    guard let strings = try members.strings(name) else { return nil }
    let json = JSONWriter.array(strings)
    guard json.count <= Self.namesLimit else {
      let name = String(cString: name.cString)
      throw .option("'\(name)' must not be longer than \(Self.namesLimit) bytes")
    }
    return json
  }
}
