import CArgyle
import CJansson
import Support
import Transport

@testable import Argyle

// Checks shared by several targets.

/// A client that only builds requests.
let client: Client = {
  do {
    return try Client(keyID: "key", keySecret: canary, baseURL: "https://api.argyle.com/x")
  } catch {
    fatalError("\(error)")
  }
}()

/// The same with version 2 of the API.
let clientOfVersion2: Client = {
  do {
    return try client.with { $0.apiVersion = .v2 }
  } catch {
    fatalError("\(error)")
  }
}()

/// Creates an answer with status 200 to a client's request.
func answer(
  _ body: [UInt8],
  to operation: Operation,
  of client: Client = client
) throws(ArgyleError) -> Answer {
  Answer(
    context: client.calls.context(for: try operation.request(client.apiVersion)),
    response: Response(head: ResponseHead(status: 200), body: body),
    mayHaveActedBefore: false,
    attempts: 1
  )
}

/// Checks that a message is one line without secrets or tokens.
func check(message: String) {
  expect(!message.isEmpty, "a message is not empty")
  expect(message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a message is one line: \(message)")
  expect(!contains(message, canary), "a message contains no secret: \(message)")
  expect(!contains(message, "eyJ"), "a message contains no token: \(message)")
}

/// Checks that an error from a C function has a code and a message, and frees it.
func check(_ error: OpaquePointer?, code: Int32? = nil) {
  guard let error else { fatalError("a failure returns an error") }
  if let code {
    expect(argyle_error_code(error) == code, "the code is \(argyle_error_code(error))")
  }
  check(message: argyle_error_message(error).map { String(cString: $0) } ?? "")
  argyle_error_free(error)
}

/// Checks that a parsed document can be encoded, and parsed again with the same result.
func checkRoundTrip(_ document: JSONReference) {
  guard let text = document.encoded(), let parsed = try? JSONReference(parsing: text) else {
    fatalError("a document can be encoded and parsed again")
  }
  let copy = JSON(document)
  expect(JSON(parsed) == copy, "a document survives encoding and parsing")
  do {
    let converted = try copy.makeReference(argument: "copy")
    expect(JSON(converted) == copy, "a document survives the conversion to Swift")
    expect(converted.encoded() == text, "a document from Swift is encoded to the same text")
  } catch {
    expect(contains(error.message, "deeper"), "a document can be converted from Swift: \(error)")
  }
}

/// Searches for bytes, not characters, which may combine with the preceding text.
func contains(_ text: String, _ other: String) -> Bool {
  let text = Array(text.utf8)
  let other = Array(other.utf8)
  guard text.count >= other.count else { return false }
  return (0...(text.count - other.count)).contains { text[$0...].starts(with: other) }
}
