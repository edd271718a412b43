/// All that the server serves: the API, and the control interface beside it.
struct Site {
  let api: FaultyAPI
  let control: ControlInterface

  init(_ options: SandboxOptions) throws(SandboxError) {
    let clock = Clock()
    let users = try UserStore(Database(path: options.database), clock: clock)
    let faults = try options.faultPlan()
    let api = API(
      credentials: BasicCredentials(keyID: options.keyID, keySecret: options.keySecret),
      otherCredentials: options.otherCredentials(),
      users: users,
      tokens: TokenIssuer(key: options.keySecret, clock: clock)
    )
    self.api = FaultyAPI(api: api, faults: faults)
    control = ControlInterface(users: users, faults: faults, clock: clock)
  }

  func respond(to request: HTTPRequest) -> HTTPOutcome {
    if request.target.segments.first?.matches(ControlInterface.prefix) == true {
      return control.respond(to: request)
    }
    return api.respond(to: request)
  }
}
