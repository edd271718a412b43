import CArgyle
import CJansson
import Support

@testable import Argyle

/// Fuzzes metadata: as JSON text, which is sent unchanged, as a jansson value and as a Swift value.
func fuzzMetadata(_ input: [UInt8]) {
  let metadata = result { () throws(ArgyleError) in try UserDocument(text: input, .metadata) }
  if let metadata { checkDocument(metadata.text, of: input) }
  checkCall(input, isAccepted: metadata != nil)
  let fields = result { () throws(ArgyleError) in try UserDocument(text: input, .fields) }
  if let fields { expect(fields.text == input, "fields are sent unchanged") }

  guard let value = try? JSONReference(parsing: input) else { return }
  let same = value.withValue { value in
    result { () throws(ArgyleError) in try UserDocument(value, .metadata) }
  }
  expect((same == nil) == (metadata == nil), "parsed metadata is rejected only for its depth")
  let copy = JSON(value)
  let copied = result { () throws(ArgyleError) in try UserDocument(copy, .metadata) }
  expect(copied?.text == same?.text, "metadata from Swift is the same")
  guard let same else { return }
  guard let document = try? JSONReference(parsing: same.text) else {
    fatalError("the document that is sent can be parsed")
  }
  expect(
    document.member("external_metadata").map { JSON($0) } == copy,
    "the document that is sent holds the metadata"
  )
}

private func result(_ make: () throws(ArgyleError) -> UserDocument) -> UserDocument? {
  do {
    return try make()
  } catch {
    expect(error.code == .argument, "the code is \(error.code)")
    check(message: error.message)
    return nil
  }
}

/// Checks that the document that is sent holds the text and nothing else.
private func checkDocument(_ document: [UInt8], of text: [UInt8]) {
  do {
    let depth = JSON.maximumDepth + 1
    let scan = try JSONScanner.scan(
      document,
      maximumDepth: depth,
      member: "external_metadata"
    )
    expect(scan.kind == .object && scan.otherName == nil, "the document has one member")
    let whitespace: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    let trimmed = text.drop { whitespace.contains($0) }.reversed().drop { whitespace.contains($0) }
    expect(
      scan.member?.text.elementsEqual(trimmed.reversed()) == true,
      "the text is sent unchanged"
    )
    let found = try JSONScanner.find("external_metadata", in: document, maximumDepth: depth)
    expect(found.member?.text == scan.member?.text, "the text is found unchanged")
    _ = try JSONScanner.items(of: text, maximumDepth: depth)
  } catch {
    fatalError("the document is JSON: \(error)")
  }
}

private func checkCall(_ text: [UInt8], isAccepted: Bool) {
  let client = Handle.make(client)
  defer { argyle_client_free(client) }
  var error = OpaquePointer(bitPattern: 1)
  // An empty array may have no address, and C treats NULL as absent metadata.
  let call = (text + [0]).withUnsafeBytes {
    let start = $0.assumingMemoryBound(to: CChar.self).baseAddress
    return argyle_call_new_text(client, 1, nil, start, text.count, &error)
  }
  expect((call != nil) == isAccepted, "C accepts the same metadata as Swift")
  if call == nil { check(error, code: 1) }
  argyle_call_free(call)
}
