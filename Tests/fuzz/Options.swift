import CArgyle
import CCurl
import CJansson
import Support
import Transport

@testable import Argyle

/// A JSON document as the options of a client, as overrides, as a query and as the options of a queue, each as a value
/// and as text.
func fuzzOptions(_ input: [UInt8]) {
  guard let options = try? JSONReference(parsing: input) else {
    expect(!acceptsText(input, mayShow: false), "what is not JSON makes no client")
    return
  }
  // A key with an unknown name is told by it.
  let names = options.withValue { ObjectMember.all(of: $0) ?? [] }.map { $0.name }
  let mayShow = names.contains { contains($0, canary) || contains($0, "eyJ") }
  let isAccepted = acceptsText(input, mayShow: mayShow)
  options.withValue { value in
    let made = make(mayShow) { argyle_client_new(value, $0) }
    expect((made != nil) == isAccepted, "a text makes a client where its value does")
    made.map { client in
      checkClient(client)
      make(mayShow) { argyle_client_with(client, value, $0) }.map { argyle_client_free($0) }
      argyle_client_free(client)
    }
    let client = Handle.make(client)
    make(mayShow) { argyle_client_with(client, value, $0) }.map { other in
      checkClient(other)
      argyle_client_free(other)
    }
    make(mayShow) { argyle_call_new(client, 4, nil, value, $0) }.map { argyle_call_free($0) }
    make(mayShow) { argyle_queue_new(value, $0) }.map { argyle_queue_free($0) }
    argyle_client_free(client)
  }
}

/// Whether a text makes a client; it is given as overrides and as the options of a queue, too.
private func acceptsText(_ input: [UInt8], mayShow: Bool) -> Bool {
  input.withUnsafeBytes { bytes in
    // An empty array may have no address, which is that of no text.
    let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
    make(mayShow) { argyle_queue_new_text(text, bytes.count, $0) }.map { argyle_queue_free($0) }
    guard let client = make(mayShow, { argyle_client_new_text(text, bytes.count, $0) }) else {
      return false
    }
    checkClient(client)
    make(mayShow) { argyle_client_with_text(client, text, bytes.count, $0) }.map {
      argyle_client_free($0)
    }
    argyle_client_free(client)
    return true
  }
}

/// Lets C make something; where it refuses, the error is one of an argument.
private func make(
  _ mayShow: Bool,
  _ function: (UnsafeMutablePointer<OpaquePointer?>) -> OpaquePointer?
) -> OpaquePointer? {
  var error = OpaquePointer(bitPattern: 1)
  if let made = function(&error) {
    expect(error == nil, "a success has no error")
    return made
  }
  if mayShow { argyle_error_free(error) } else { check(error, code: 1) }
  return nil
}

/// A client that was made has what it needs.
private func checkClient(_ handle: OpaquePointer) {
  let client = Handle.object(handle, as: Client.self)
  let settings = client.calls.settings
  expect("\(client)" == "Client", "a client does not show its key")
  let key = String(cString: settings.transfer.headers.plain.pointee.data)
  expect(key.hasPrefix("Authorization: Basic "), "a client has a key")
  expect(key.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a key is one line")
  expect(settings.limits.timeoutMilliseconds > 0, "a client has time")
  expect((0...100).contains(settings.limits.maxRetries), "repetitions have an end")
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
      "\(url) is its own"
    )
    expect(try parts[CURLUPART_USER] == nil, "there is no user name: \(url)")
    expect(try parts[CURLUPART_QUERY] == nil, "there is no query: \(url)")
    expect(try parts[CURLUPART_FRAGMENT] == nil, "there is no fragment: \(url)")
    expect(try (parts[CURLUPART_PATH] ?? "").hasSuffix("/v1/users/u1"), "the path ends so: \(url)")
  } catch {
    fatalError("\(error)")
  }
}
