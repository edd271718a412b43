import CCurl
import Support
import Transport

@testable import Argyle

/// Pages of a list, one a line: an array or object as it is, and anything else as the link to the next page.
func fuzzNext(_ input: [UInt8]) {
  var walk = UserPaging(UserQuery())
  var textWalk = walk
  var asked: [String] = []
  for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
    guard case .page(let query) = walk.nextStep else { return }
    asked.append(query)
    do {
      let body = try page(line)
      let answer = try answer(body, to: .listUsers(query: query))
      // Of two members with one name the text's walk takes the first, and jansson the last.
      let hasDuplicates = (try? JSONReference(parsing: body, refusingDuplicates: true)) == nil
      let textError = failure { () throws(ArgyleError) in try textWalk.add(textOf: answer) }
      let error = failure { () throws(ArgyleError) in
        try walk.add(PageOutline(try UserPageDocument(answer)), answer)
      }
      if error == nil, !hasDuplicates {
        expect(textError == nil, "what jansson reads is read as text")
        expect(told(walk) == told(textWalk), "\(told(walk)) is not \(told(textWalk))")
      }
      check(walk, after: asked)
      check(textWalk, after: asked)
      // From here on the two go different ways.
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

private func told(_ paging: UserPaging) -> String {
  switch paging.nextStep {
  case .page(let query): "page \(query)"
  case .end: "end"
  case .failure(let error): "failure \(error.message)"
  }
}

/// The next request goes to the client's own host, to the same path, and not to a page that was given before.
private func check(_ paging: UserPaging, after asked: [String]) {
  let query: String
  switch paging.nextStep {
  case .end: return
  case .failure(let error): return check(message: error.message)
  case .page(let text): query = text
  }
  // The page was refused, and may be asked for again.
  if query == asked.last { return }
  expect(asked.count > 64 || !asked.contains(query), "no page is asked for twice: \(query)")
  do {
    let request = try Operation.listUsers(query: query).request()
    let url = "\(client.calls.settings.transfer.baseURL.text)\(request.path)?\(request.query)"
    guard let parts = try URLParts(url) else { fatalError("a request has a URL: \(url)") }
    expect(try parts[CURLUPART_SCHEME] == "https", "the scheme is the client's")
    expect(try parts[CURLUPART_HOST] == "api.argyle.com", "the host is the client's")
    expect(try parts[CURLUPART_USER] == nil, "there is no user name")
    expect(try parts[CURLUPART_PATH] == "/x/v1/users", "the path is that of users")
    expect(try parts[CURLUPART_QUERY] == query, "the query is sent as it is")
    expect(try parts[CURLUPART_FRAGMENT] == nil, "there is no fragment")
  } catch {
    fatalError("\(error)")
  }
}
