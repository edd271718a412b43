import CArgyle
import CJansson
import Support
import Transport

@testable import Argyle
@testable import ArgyleABI

/// Fuzzes the parsing of a response to JSON and to the models, with the Swift API and the C functions.
///
/// The first byte selects the operation by its number, as a digit: 0 to 5 in version 1 of the API, 6 to 9 and the next
/// characters in version 2. The rest is an HTTP response or only its body.
func fuzzAnswer(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let kinds: [Operation.Kind] = [
    .createUserToken, .createUser, .getUser, .updateUser, .listUsers, .deleteUser,
  ]
  let kind = kinds[Int(first) % kinds.count]
  let client = Int(first) / kinds.count % 2 == 0 ? client : clientOfVersion2
  let response = response(input.dropFirst())
  do {
    let operation = try operation(kind)
    let call = try Call(client, operation)
    checkResult(finish(call, response, of: client), operation, response)
    checkHandle(call, operation, response)
  } catch {
    fatalError("\(error)")
  }
}

private func operation(_ kind: Operation.Kind) throws(ArgyleError) -> Operation {
  // The user of the seeds, because responses about another user are rejected.
  let id = try UserID("u1")
  return switch kind {
  case .createUser: .createUser(nil)
  case .getUser: .getUser(id)
  case .updateUser: .updateUser(id, try UserDocument(JSON.null, .metadata))
  case .createUserWithFields: .createUser(try UserDocument([:], .fields))
  case .updateUserWithFields: .updateUser(id, try UserDocument([:], .fields))
  case .listUsers: .listUsers(query: "")
  case .deleteUser: .deleteUser(id)
  case .createUserToken: .createUserToken(id)
  }
}

// MARK: - Response

/// Parses the response head, if the input has one, line by line like libcurl.
private func response(_ input: ArraySlice<UInt8>) -> Response {
  guard input.starts(with: "HTTP/".utf8) else {
    return Response(head: ResponseHead(status: 200), body: Array(input))
  }
  var headers = ResponseHeaders()
  var status: Int?
  var rest = input
  while !rest.isEmpty {
    let line = rest.prefix { $0 != UInt8(ascii: "\n") }
    let isWhole = line.endIndex < rest.endIndex
    rest = rest[(isWhole ? line.endIndex + 1 : line.endIndex)...]
    if line.count <= 1 { break }
    if status == nil {
      let digits = line.drop { $0 != UInt8(ascii: " ") }.dropFirst().prefix(3)
      // libcurl accepts only three digits.
      status = Int(String(decoding: digits, as: UTF8.self)).flatMap { $0 < 0 ? nil : $0 } ?? 200
    } else {
      (Array(line) + [UInt8(ascii: "\n")]).withUnsafeBytes { headers.append($0) }
    }
  }
  let head = ResponseHead(status: status ?? 200, headers: headers, receivedAt: 1_700_000_000)
  return Response(head: head, body: Array(rest))
}

/// Finishes a call by responding to every attempt with this response.
private func finish(
  _ call: Call,
  _ response: Response,
  of client: Client
) -> Result<Answer, ArgyleError> {
  let limits = CallLimits()
  var machine = CallMachine(client.calls.context(for: call.request), limits, RetryBudget())
  var now: Int64 = 0
  var step = machine.handle(.started, at: now) { 0.5 }
  while true {
    switch step {
    case .send(let end):
      expect(end > now, "an attempt must not have timed out already")
      expect(machine.attempts <= limits.maxRetries + 1, "the number of attempts is limited")
      step = machine.handle(.answered(response), at: now) { 0.5 }
    case .wait(let end):
      let longest = max(limits.maxRetryAfterMilliseconds * 1000, 8_000_000)
      expect((now...(now + longest)).contains(end), "the backoff is limited: \(end - now)")
      now = end
      step = machine.handle(.waited, at: now) { 0.5 }
    case .finish(let result):
      call.state = .finished
      call.head = response.head
      call.body = response.body
      call.attempts = machine.attempts
      call.outcome = result
      return result
    }
  }
}

// MARK: - Swift

private func checkResult(
  _ result: Result<Answer, ArgyleError>,
  _ operation: Operation,
  _ response: Response
) {
  do {
    let answer = try result.get()
    expect((200..<300).contains(response.head.status), "a success has a 2xx status")
    checkModel(try answer.document(of: operation), operation.kind, answer.context.version)
    if operation.kind == .listUsers { checkOutline(response.body) }
  } catch {
    check(message: error.message)
    if let traceID = error.traceID { check(message: "trace id \(traceID)") }
    expect(error.code != .argument && error.code != .internal, "the code is \(error.code)")
    expect(error.httpStatus == response.head.status, "an error has the status")
    expect(error.bodyBytes == response.body, "an error has the body")
    _ = error.body
    if let wait = error.retryAfterMilliseconds { expect(wait >= 0, "a wait is not negative") }
  }
}

private func checkModel(
  _ document: JSONReference,
  _ kind: Operation.Kind,
  _ version: APIVersion
) {
  switch kind {
  case .createUser, .createUserWithFields:
    let user = NewUser(document, version)
    expect(!user.id.isEmpty && !user.token.isEmpty, "a new user has an id and a token")
    checkRoundTrip(document)
  case .getUser, .updateUser, .updateUserWithFields:
    check(User(document))
    checkRoundTrip(document)
  case .listUsers:
    let page = UserPage(document)
    guard let results = document.member("results") else { fatalError("a page has results") }
    expect(page.results.count == results.count, "a page has all users")
    page.results.forEach { check($0) }
    expect(page.next == document.member("next")?.text, "a page has its next link")
    // Not the page: for a bare array it is one level deeper than the response.
    checkRoundTrip(results)
  case .createUserToken:
    let token = UserToken(document, version)
    expect(!token.access.isEmpty, "a token is not empty")
    _ = try? token.claims().expiresAt
    checkRoundTrip(document)
  case .deleteUser:
    checkRoundTrip(document)
  }
}

private func check(_ user: User) {
  expect(!user.id.isEmpty, "a user has an id")
  expect(user.raw["id"]?.stringValue == user.id, "the id is the one in the response")
  _ = user.createdAt
  _ = user.employersConnected
  _ = user.dataProvidersConnected
  _ = user.externalMetadata
  _ = (user.itemsConnected, user.externalID, user.firstName, user.lastName, user.email)
  _ = (user.phoneNumber, user.ssn, user.address, user.birthDate)
}

/// Checks that a page that jansson can parse can be scanned as text.
private func checkOutline(_ body: [UInt8]) {
  do {
    if case .other = try PageOutline(body, strictly: true) {
      fatalError("a page is an object or an array")
    }
  } catch {
    fatalError("a page can be scanned as text: \(error)")
  }
}

// MARK: - C

/// Checks the C functions that inspect a finished call.
private func checkHandle(_ call: Call, _ operation: Operation, _ response: Response) {
  let failed = call.error != nil
  let handle = Handle.make(CallObject(call))
  defer { argyle_call_free(handle) }
  expect(Int(argyle_call_http_status(handle)) == response.head.status, "a call has the status")
  expect(argyle_call_attempts(handle) == Int32(call.attempts), "a call has the attempts")
  let body = argyle_call_body_text(handle)
  let size = argyle_call_body_size(handle)
  expect(size == response.body.count && body?[size] == 0, "the body ends with a NUL")
  expect(
    UnsafeRawBufferPointer(start: body, count: size).elementsEqual(response.body),
    "the body is that of the response"
  )
  for name in ["Content-Type", "x-trace-id", "Retry-After"] {
    if let value = argyle_call_header(handle, name) {
      expect(!String(cString: value).utf8.contains(0x0A), "a header is one line")
    }
  }
  var index = 0
  var value: UnsafePointer<CChar>?
  while let name = argyle_call_header_at(handle, index, &value) {
    let texts = [String(cString: name), value.map { String(cString: $0) } ?? "\n"]
    expect(texts.allSatisfy { !$0.utf8.contains(0x0A) }, "a header is one line")
    index += 1
  }
  expect(value == nil, "there is no value after the last header")
  if failed {
    let error = argyle_call_error(handle)
    expect(argyle_error_body_size(error) == response.body.count, "an error has the body")
    expect(argyle_error_retry_after_ms(error) >= -1, "a wait is not negative")
    _ = argyle_error_body(error)
  }
  var error = OpaquePointer(bitPattern: 1)
  if let document = argyle_call_json(handle, &error) {
    expect(error == nil && !failed, "a success has no error")
    JSONReference(owning: document).withValue { _ in }
  } else if error == nil {
    expect(!failed && call.request.method == .delete, "only a delete returns nothing")
  } else {
    check(error, code: failed ? argyle_error_code(argyle_call_error(handle)) : 5)
  }
}
