import CCurl
import Support
import Transport

@testable import Argyle

/// Fuzzes pagination: each line is a page, if it is an array or object, or else the next link of a page.
func fuzzNext(_ input: [UInt8]) {
  fuzzNext(input, client)
  fuzzNext(input, clientOfVersion2)
}

private func fuzzNext(_ input: [UInt8], _ client: Client) {
  var parsed = UserPaging(UserQuery(), client.apiVersion)
  var scanned = parsed
  var requested: [String] = []
  for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
    guard case .page(let query) = parsed.nextStep else { return }
    requested.append(query)
    do {
      let body = try page(line)
      let answer = try answer(body, to: .listUsers(query: query), of: client)
      // Pages with duplicate members are not compared.
      let hasDuplicates = (try? JSONReference(parsing: body, refusingDuplicates: true)) == nil
      let scanError = failure { () throws(ArgyleError) in try scanned.add(textOf: answer) }
      let error = failure { () throws(ArgyleError) in
        try parsed.add(PageOutline(try UserPageDocument(answer)), answer)
      }
      if error == nil, !hasDuplicates {
        expect(scanError == nil, "a page that jansson can parse can be scanned as text")
        let steps = (describe(parsed), describe(scanned))
        expect(steps.0 == steps.1, "\(steps.0) is not \(steps.1)")
      }
      check(parsed, after: requested, client)
      check(scanned, after: requested, client)
      // From here on the two may differ.
      if error != nil || hasDuplicates { return }
    } catch {
      fatalError("\(error)")
    }
  }
}

private func page(_ line: ArraySlice<UInt8>) throws(ArgyleError) -> [UInt8] {
  if line.first == UInt8(ascii: "[") || line.first == UInt8(ascii: "{") { return Array(line) }
  let next: JSON = line.isEmpty ? .null : .string(String(decoding: line, as: UTF8.self))
  let page = JSON.object(["results": [["id": "u1"]], "next": next])
  return try page.makeReference(argument: "page").encoded() ?? []
}

private func failure(_ body: () throws(ArgyleError) -> Void) -> ArgyleError? {
  do {
    try body()
    return nil
  } catch {
    check(message: error.message)
    return error
  }
}

private func describe(_ paging: UserPaging) -> String {
  switch paging.nextStep {
  case .page(let query): "page \(query)"
  case .end: "end"
  case .failure(let error): "failure \(error.message)"
  }
}

/// Checks that the next request goes to the client's host, to the same path, and not to an earlier page.
private func check(_ paging: UserPaging, after requested: [String], _ client: Client) {
  let query: String
  switch paging.nextStep {
  case .end: return
  case .failure(let error): return check(message: error.message)
  case .page(let text): query = text
  }
  // A page that was rejected may be requested again.
  if query == requested.last { return }
  expect(
    requested.count > 64 || !requested.contains(query),
    "no page is requested twice: \(query)"
  )
  do {
    let request = try Operation.listUsers(query: query).request(client.apiVersion)
    let url = "\(client.calls.settings.transfer.baseURL.text)\(request.path)?\(request.query)"
    guard let parts = try URLParts(url) else { fatalError("a request has a URL: \(url)") }
    expect(try parts[CURLUPART_SCHEME] == "https", "the scheme is the client's")
    expect(try parts[CURLUPART_HOST] == "api.argyle.com", "the host is the client's")
    expect(try parts[CURLUPART_USER] == nil, "there is no user name")
    let path = "/x/v\(client.apiVersion.rawValue)/users"
    expect(try parts[CURLUPART_PATH] == path, "the path is that of the user list")
    expect(try parts[CURLUPART_QUERY] == query, "the query is sent unchanged")
    expect(try parts[CURLUPART_FRAGMENT] == nil, "there is no fragment")
  } catch {
    fatalError("\(error)")
  }
}
