import CArgyle
import CCurl
import CJansson
import Support
import Transport

@testable import Argyle

/// Fuzzes options: a JSON document as client options, overrides, query and queue options.
///
/// Each is passed as a value and as text, except the query.
func fuzzOptions(_ input: [UInt8]) {
  guard let options = try? JSONReference(parsing: input) else {
    expect(!acceptsText(input, mayQuote: false), "text that is not JSON is rejected")
    return
  }
  // The error about an unknown option contains its name.
  let names = options.withValue { ObjectMember.all(of: $0) ?? [] }.map { $0.name }
  let mayQuote = names.contains { contains($0, canary) || contains($0, "eyJ") }
  let isAccepted = acceptsText(input, mayQuote: mayQuote)
  options.withValue { value in
    let handle = make(mayQuote) { argyle_client_new(value, $0) }
    expect((handle != nil) == isAccepted, "options are accepted as text if they are as a value")
    handle.map { client in
      checkClient(client)
      make(mayQuote) { argyle_client_with(client, value, $0) }.map { argyle_client_free($0) }
      argyle_client_free(client)
    }
    let client = Handle.make(client)
    make(mayQuote) { argyle_client_with(client, value, $0) }.map { other in
      checkClient(other)
      argyle_client_free(other)
    }
    make(mayQuote) { argyle_call_new(client, 4, nil, value, $0) }.map { argyle_call_free($0) }
    make(mayQuote) { argyle_queue_new(value, $0) }.map { argyle_queue_free($0) }
    argyle_client_free(client)
  }
}

/// Whether the input is accepted as client options; it is passed as overrides and queue options, too.
private func acceptsText(_ input: [UInt8], mayQuote: Bool) -> Bool {
  input.withUnsafeBytes { bytes in
    // An empty array may have no address, so the pointer may be NULL.
    let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
    make(mayQuote) { argyle_queue_new_text(text, bytes.count, $0) }.map { argyle_queue_free($0) }
    guard let client = make(mayQuote, { argyle_client_new_text(text, bytes.count, $0) }) else {
      return false
    }
    checkClient(client)
    make(mayQuote) { argyle_client_with_text(client, text, bytes.count, $0) }.map {
      argyle_client_free($0)
    }
    argyle_client_free(client)
    return true
  }
}

/// Calls a C function that creates a handle; if it fails, the error must be about an argument.
private func make(
  _ mayQuote: Bool,
  _ function: (UnsafeMutablePointer<OpaquePointer?>) -> OpaquePointer?
) -> OpaquePointer? {
  var error = OpaquePointer(bitPattern: 1)
  if let handle = function(&error) {
    expect(error == nil, "a success has no error")
    return handle
  }
  if mayQuote { argyle_error_free(error) } else { check(error, code: 1) }
  return nil
}

/// Checks that a client is complete.
private func checkClient(_ handle: OpaquePointer) {
  let client = Handle.object(handle, as: Client.self)
  let settings = client.calls.settings
  expect("\(client)" == "Client", "a client's description omits its key")
  let key = String(cString: settings.transfer.headers.plain.pointee.data)
  expect(key.hasPrefix("Authorization: Basic "), "a client has a key")
  expect(key.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a key is one line")
  expect(settings.limits.timeoutMilliseconds > 0, "the timeout is positive")
  expect((0...100).contains(settings.limits.maxRetries), "the number of retries is limited")
  expect(
    settings.transfer.userAgent.utf8.allSatisfy { (0x20...0x7E).contains($0) },
    "a header is one line"
  )
  let url = "\(settings.transfer.baseURL.text)/v1/users/u1"
  do {
    guard let parts = try URLParts(url) else { fatalError("a client has a URL: \(url)") }
    let port = try parts[CURLUPART_PORT]
    let host = try parts[CURLUPART_HOST] ?? ""
    expect(
      settings.transfer.baseURL.authority == (port.map { "\(host):\($0)" } ?? host),
      "the authority is that of \(url)"
    )
    expect(try parts[CURLUPART_USER] == nil, "there is no user name: \(url)")
    expect(try parts[CURLUPART_QUERY] == nil, "there is no query: \(url)")
    expect(try parts[CURLUPART_FRAGMENT] == nil, "there is no fragment: \(url)")
    expect(try (parts[CURLUPART_PATH] ?? "").hasSuffix("/v1/users/u1"), "the path is kept: \(url)")
  } catch {
    fatalError("\(error)")
  }
}
