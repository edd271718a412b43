/// A request with an invalid body, and the response to it.
struct InvalidRequest: Error {
  let response: HTTPResponse
}
