/// The API behind the faults that are set for it.
///
/// They come before authentication, as they would in a proxy, and strike within `/v1` only.
struct FaultyAPI {
  let api: API
  let faults: FaultPlan

  func respond(to request: HTTPRequest) -> HTTPOutcome {
    let route = Route(request.target.segments)
    guard route.isOfAPI else { return HTTPOutcome(api.respond(to: request)) }
    let (milliseconds, effect) = faults.strike(request, route)
    var outcome: HTTPOutcome
    switch effect {
    case .refuse(let refusal):
      outcome = refusal.answer()
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
