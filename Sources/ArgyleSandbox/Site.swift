/// Everything that the server serves: the API and the control interface.
struct Site {
  private let users: UserStore
  let api: FaultyAPI
  let control: ControlInterface

  init(_ options: SandboxOptions) throws(SandboxError) {
    let clock = Clock()
    let cursorKey: Bytes
    do throws(SandboxError) {
      users = try UserStore(Database(path: options.database), clock: clock)
      cursorKey = try users.cursorKey()
    } catch {
      // Later errors omit the file name, because they are sent over HTTP.
      let name = options.database.map { "'\($0)'" } ?? "in memory"
      throw .database("database \(name): \(error.message)")
    }
    let faults = try options.faultPlan()
    let signer = JWTSigner(key: Bytes(options.keySecret.utf8))
    let api = API(
      credentials: BasicCredentials(keyID: options.keyID, keySecret: options.keySecret),
      otherCredentials: options.otherCredentials(),
      users: users,
      tokens: TokenIssuer(signer, clock: clock),
      cursors: CursorIssuer(JWTSigner(key: cursorKey))
    )
    self.api = FaultyAPI(api: api, faults: faults)
    control = ControlInterface(users: users, faults: faults, clock: clock)
  }

  /// Aborts long database operations, now and later; any thread may call it.
  func interrupt() { users.interrupt() }

  func respond(to request: HTTPRequest) -> HTTPOutcome {
    if request.target.segments.first?.matches(ControlInterface.prefix) == true {
      return control.respond(to: request)
    }
    return api.respond(to: request)
  }
}
