import CArgyle
import CJansson
import Support

@testable import Argyle

/// JSON text as metadata, which is sent as it is, and by way of jansson and of Swift.
func fuzzMetadata(_ input: [UInt8]) {
  let metadata = result { () throws(ArgyleError) in try Metadata(text: input) }
  if let metadata { checkDocument(metadata.document, of: input) }
  checkCall(input, isAccepted: metadata != nil)

  guard let value = try? JSONReference(parsing: input) else { return }
  let same = value.withValue { value in
    result { () throws(ArgyleError) in try Metadata(value) }
  }
  expect((same == nil) == (metadata == nil), "what jansson reads is refused for its depth alone")
  let copy = JSON(value)
  let copied = result { () throws(ArgyleError) in try Metadata(copy) }
  expect(copied?.document == same?.document, "metadata is the same by way of Swift")
  guard let same else { return }
  guard let document = try? JSONReference(parsing: same.document) else {
    fatalError("what is sent can be read")
  }
  expect(document.member("external_metadata").map { JSON($0) } == copy, "what is sent is the same")
}

private func result(_ make: () throws(ArgyleError) -> Metadata) -> Metadata? {
  do {
    return try make()
  } catch {
    expect(error.code == .argument, "the code is \(error.code)")
    check(message: error.message)
    return nil
  }
}

/// The document that is sent holds the text and nothing else.
private func checkDocument(_ document: [UInt8], of text: [UInt8]) {
  do {
    let depth = JSON.maximumDepth + 1
    let (kind, member) = try JSONScanner.scan(
      document,
      maximumDepth: depth,
      member: "external_metadata"
    )
    expect(kind == .object, "the document is an object")
    let blanks: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    let trimmed = text.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }
    expect(member?.text.elementsEqual(trimmed.reversed()) == true, "the text is sent as it is")
    let found = try JSONScanner.find("external_metadata", in: document, maximumDepth: depth)
    expect(found.member?.text == member?.text, "the text is found as it is")
    _ = try JSONScanner.items(of: text, maximumDepth: depth)
  } catch {
    fatalError("the document is JSON: \(error)")
  }
}

private func checkCall(_ text: [UInt8], isAccepted: Bool) {
  let client = Handle.make(client)
  defer { argyle_client_free(client) }
  var error = OpaquePointer(bitPattern: 1)
  // An empty array may have no address, which C takes for metadata that is absent.
  let call = (text + [0]).withUnsafeBytes {
    let start = $0.assumingMemoryBound(to: CChar.self).baseAddress
    return argyle_call_new_text(client, 1, nil, start, text.count, &error)
  }
  expect((call != nil) == isAccepted, "C is told the same")
  if call == nil { check(error, code: 1) }
  argyle_call_free(call)
}
