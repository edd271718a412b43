/// The API with injected faults.
///
/// Faults apply before authentication, as in a proxy, and only within the API.
struct FaultyAPI {
  let api: API
  let faults: FaultPlan

  func respond(to request: HTTPRequest) -> HTTPOutcome {
    let route = Route(request.target.segments)
    guard route.version != nil else { return HTTPOutcome(api.respond(to: request)) }
    let (milliseconds, effect) = faults.apply(to: request, route)
    var outcome: HTTPOutcome
    switch effect {
    case .error(let error):
      outcome = error.outcome()
      if route.version == .v2 { outcome.response = outcome.response?.addingHeadersOfV2(route) }
      outcome.response = outcome.response?.adding("X-Trace-Id", UUID.random().text)
    case .body(let body): outcome = body.applied(to: api.respond(to: request))
    case .close(let carriedOut):
      if carriedOut { _ = api.respond(to: request) }
      outcome = HTTPOutcome(nil)
    case .delay, nil: outcome = HTTPOutcome(api.respond(to: request))
    }
    outcome.delayMilliseconds = milliseconds
    return outcome
  }
}
