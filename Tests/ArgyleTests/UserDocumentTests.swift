import CJansson
import Support
import Testing

@testable import Argyle

/// The bodies of requests that create or update a user.
struct UserDocumentTests {
  private func text(_ document: UserDocument) -> String {
    String(decoding: document.text, as: UTF8.self)
  }

  private func document(_ text: String) throws -> UserDocument {
    try UserDocument(text: Array(text.utf8), .fields)
  }

  /// The document made from text and from a jansson value.
  private func documents(_ text: String) throws -> [UserDocument] {
    let value = try JSONReference(parsing: Array(text.utf8))
    return [try document(text), try value.withValue { try UserDocument($0, .fields) }]
  }

  @Test func fieldsAreSentAsTheyAre() throws {
    let text = #"{"first_name":"Ada","later":{"x":[1]},"external_metadata":null}"#
    for document in try documents(text) {
      #expect(self.text(document) == text)
      #expect(throws: Never.self) { try document.check(.v2) }
    }
    let exact = #"{ "external_metadata": 1e400, "external_metadata": 0.10 }"#
    #expect(try self.text(document(exact)) == exact)
  }

  @Test(arguments: [
    #"{"external_metadata":1,"first_name":"Ada"}"#, #"{"first_name":"Ada","last_name":"L"}"#,
    #"{"f\u0069rst_name":"Ada"}"#,
  ])
  func newFieldsNeedVersion2(text: String) throws {
    for document in try documents(text) {
      let error = #expect(throws: ArgyleError.self) { try document.check(.v1) }
      #expect(
        error?.message
          == #"fields must hold external_metadata only: "first_name" needs api_version 2"#
      )
      #expect(error?.code == .argument)
    }
  }

  @Test(arguments: [
    "{}", #"{"external_metadata":{"first_name":1}}"#, #"{"external_m\u0065tadata":1}"#,
  ])
  func metadataAloneIsForBothVersions(text: String) throws {
    for document in try documents(text) {
      #expect(throws: Never.self) { try document.check(.v1) }
      #expect(throws: Never.self) { try document.check(.v2) }
    }
  }

  @Test(arguments: ["[]", "null", #""text""#, "1"])
  func fieldsAreAnObject(text: String) throws {
    let error = #expect(throws: ArgyleError.self) { try document(text) }
    #expect(error?.message == "fields must be a JSON object")
    let value = try JSONReference(parsing: Array(text.utf8))
    let valueError = #expect(throws: ArgyleError.self) {
      try value.withValue { try UserDocument($0, .fields) }
    }
    #expect(valueError?.message == "fields must be a JSON object")
  }

  @Test func fieldsTakeTheDeepestMetadata() throws {
    let metadata = (0..<2044).reduce(JSON.null) { value, _ in [value] }
    #expect(throws: Never.self) { try UserDocument(["external_metadata": metadata], .fields) }
    let error = #expect(throws: ArgyleError.self) {
      try UserDocument(["external_metadata": [metadata]], .fields)
    }
    #expect(error?.message == "fields must not be nested deeper than 2045 levels")
    let deep = String(repeating: "[", count: 2045) + String(repeating: "]", count: 2045)
    let textError = #expect(throws: ArgyleError.self) {
      try document(#"{"external_metadata":\#(deep)}"#)
    }
    #expect(textError?.message == "fields must not be nested deeper than 2045 levels")
  }

  @Test func namesOfFieldsCanBeReadBack() {
    let error = #expect(throws: ArgyleError.self) { try UserDocument(["a\u{0}": 1], .fields) }
    #expect(error?.message.hasPrefix("fields must not contain a NUL in a key") == true)
  }
}
