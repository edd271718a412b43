import CArgyle
import CJansson
import Support
import Transport

@testable import Argyle

// What more than one target looks at.

/// A client that is asked for nothing but requests.
let client: Client = {
  do {
    return try Client(keyID: "key", keySecret: canary, baseURL: "https://api.argyle.com/x")
  } catch {
    fatalError("\(error)")
  }
}()

/// An answer with status 200 to a request of that client's.
func answer(_ body: [UInt8], to operation: Operation) throws(ArgyleError) -> Answer {
  Answer(
    context: client.calls.context(for: try operation.request()),
    response: Response(head: ResponseHead(status: 200), body: body),
    mayHaveActedBefore: false,
    attempts: 1
  )
}

/// A message is one line without secrets and tokens.
func check(message: String) {
  expect(!message.isEmpty, "a message says something")
  expect(message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a message is one line: \(message)")
  expect(!contains(message, canary), "a message shows no secret: \(message)")
  expect(!contains(message, "eyJ"), "a message shows no token: \(message)")
}

/// An error that C was given has a code and a message; it is released.
func check(_ error: OpaquePointer?, code: Int32? = nil) {
  guard let error else { fatalError("a failure tells an error") }
  if let code {
    expect(argyle_error_code(error) == code, "the code is \(argyle_error_code(error))")
  }
  check(message: argyle_error_message(error).map { String(cString: $0) } ?? "")
  argyle_error_free(error)
}

/// What was read can be written, and read again as the same.
func checkRoundTrip(_ document: JSONReference) {
  guard let text = document.encoded(), let again = try? JSONReference(parsing: text) else {
    fatalError("a document can be written and read again")
  }
  let copy = JSON(document)
  expect(JSON(again) == copy, "a document is the same once written and read")
  do {
    let made = try copy.makeReference(argument: "copy")
    expect(JSON(made) == copy, "a document is the same in Swift")
    expect(made.encoded() == text, "a document is written the same from Swift")
  } catch {
    expect(contains(error.message, "deeper"), "a document can be made again: \(error)")
  }
}

/// Looks for bytes, not for characters, which may be joined with what stands before.
func contains(_ text: String, _ part: String) -> Bool {
  let text = Array(text.utf8)
  let part = Array(part.utf8)
  guard text.count >= part.count else { return false }
  return (0...(text.count - part.count)).contains { text[$0...].starts(with: part) }
}
