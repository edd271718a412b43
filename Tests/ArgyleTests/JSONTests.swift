import CJansson
import Support
import Testing

@testable import Argyle

struct JSONTests {
  /// Encodes a value with jansson and parses the result.
  private func roundTrip(_ value: JSON) throws -> JSON {
    let reference = try value.makeReference(argument: "value")
    return JSON(try JSONReference(parsing: #require(reference.encoded())))
  }

  private func parse(_ text: String) throws -> JSON {
    JSON(try JSONReference(parsing: Array(text.utf8)))
  }

  @Test func decimalIsRoundedToNearestDouble() throws {
    #expect(try parse("[0.1234567890123456789012]") == [0.1234567890123456789012])
    #expect(try parse("[123123.123123123123123123]") == [123123.123123123123123123])
    #expect(try parse("[1e-400]") == [0.0])
  }

  @Test(arguments: [
    JSON.null, true, false, 0, .integer(.max), .integer(.min), 0.1, -1.5e300,
    2.2250738585072014e-308, "", "a\u{0}b",
    "ü 😀 \u{FFFF} \"\\/\n", [], [1, [2, [nil]]], [:], ["b": 1, "a": ["c": [true]], "": 0],
  ])
  func everyValueSurvivesRoundTrip(value: JSON) throws {
    #expect(try roundTrip(value) == value)
  }

  @Test func membersKeepTheirOrder() throws {
    let value: JSON = ["z": 1, "a": 2, "m": 3]
    #expect(try roundTrip(value).objectValue?.members.map(\.key) == ["z", "a", "m"])
  }

  @Test func namesAreComparedByCodePoint() throws {
    let object: JSONObject = ["é": 1, "e\u{301}": 2]
    #expect(object.members.count == 2)
    #expect(object["é"] == 1)
  }

  @Test func membersCanBeSetReplacedAndRemoved() {
    var object: JSONObject = ["a": 1, "b": 2, "a": 3]
    #expect(object.members.map(\.key) == ["a", "b"])
    #expect(object["a"] == 3)
    object["c"] = 4
    object["a"] = nil
    #expect(object == ["c": 4, "b": 2])
    #expect(object != ["b": 2])
  }

  @Test func valuesAreReadByKind() throws {
    let value: JSON = ["s": "text", "i": 7, "r": 0.5, "b": true, "a": [1], "n": nil]
    #expect(value["s"]?.stringValue == "text")
    #expect(value["i"]?.integerValue == 7)
    #expect(value["i"]?.doubleValue == 7)
    #expect(value["r"]?.doubleValue == 0.5)
    #expect(value["b"]?.boolValue == true)
    #expect(value["a"]?.arrayValue == [1])
    #expect(value["n"] == JSON.null)
    #expect(value["s"]?.integerValue == nil)
    #expect(value["x"] == nil)
    #expect(JSON.null["x"] == nil)
  }

  @Test(arguments: [
    "", " ", "{", "[1,]", "nul", "1 2", "\"\\ud800\"", "{\"a\\u0000b\":1}", "1e400",
    "9223372036854775808",
    "\u{FEFF}1", "{\"a\":NaN}", "\"a\tb\"",
  ])
  func unsupportedTextFailsWithPosition(text: String) {
    let error = #expect(throws: JSONSyntaxError.self) {
      try JSONReference(parsing: Array(text.utf8))
    }
    #expect(error?.reason.contains(" at line ") == true)
  }

  @Test(arguments: [
    ("\0", 0), ("1\0", 1), ("[true\0]", 5), ("{\"a\":-1.5e3\0}", 11), ("\"\0\"", 1),
  ])
  func nulInTextFails(text: String, position: Int) {
    let error = #expect(throws: JSONSyntaxError.self) {
      try JSONReference(parsing: Array(text.utf8))
    }
    #expect(error?.reason == "NUL at byte \(position)")
  }

  @Test func errorDoesNotQuoteText() {
    let text = Array(#"{"ssn": "078-05-1120" "canary": 1}"#.utf8)
    let error = #expect(throws: JSONSyntaxError.self) { try JSONReference(parsing: text) }
    #expect(error?.reason.contains("canary") == false)
    #expect(error?.reason.contains("078") == false)
    #expect(error?.reason == "'}' expected at line 1, column 30, byte 30")
  }

  @Test func lastDuplicateMemberWins() throws {
    #expect(try parse(#"{"a":1,"a":2}"#) == ["a": 2])
  }

  private func nested(_ levels: Int) -> JSON {
    (0..<levels).reduce(.null) { value, level in level.isMultiple(of: 2) ? [value] : ["k": value] }
  }

  @Test func nestingIsLimited() throws {
    #expect(throws: Never.self) { try UserDocument(nested(2044), .metadata) }
    let error = #expect(throws: ArgyleError.self) { try UserDocument(nested(2045), .metadata) }
    #expect(error?.message == "external_metadata must not be nested deeper than 2044 levels")
  }

  @Test func namesWithNULAreRejected() throws {
    let error = #expect(throws: ArgyleError.self) {
      try UserDocument(["a": ["b\u{0}c": 1]], .metadata)
    }
    #expect(error?.message.hasPrefix("external_metadata must not contain a NUL in a key") == true)
  }

  @Test func largeObjectsAreComparedByName() throws {
    let pairs = (0..<2000).map { ("name \($0)", JSON.integer(Int64($0))) }
    var object = JSONObject(pairs + [("name 7", "last")])
    #expect(object.members.count == 2000)
    #expect(object["name 7"] == "last")
    object["name 0"] = nil
    #expect(object["name 0"] == nil)
    #expect(object["name 1999"] == 1999)
    #expect(object.members.first?.key == "name 1")
    #expect(
      JSON.object(object)
        == .object(JSONObject(object.members.reversed().map { ($0.key, $0.value) }))
    )
  }

  @Test func deepDocumentIsCopied() throws {
    let levels = 2047
    let text = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    var value = try parse(text)
    var depth = 1
    while let inner = value.arrayValue?.first {
      value = inner
      depth += 1
    }
    #expect(depth == levels)
  }

  @Test func nestingOfJanssonValueIsLimited() throws {
    var tree: UnsafeMutablePointer<json_t> = try #require(json_array())
    for _ in 1..<2045 {
      let outer = try #require(json_array())
      json_array_append_new(outer, tree)
      tree = outer
    }
    defer { json_decref(tree) }
    #expect(throws: ArgyleError.self) { try UserDocument(tree, .metadata) }
    #expect(throws: Never.self) { try UserDocument(#require(json_array_get(tree, 0)), .metadata) }
  }

  @Test(arguments: [Double.infinity, -.infinity, .nan])
  func numbersMustBeFinite(number: Double) {
    let error = #expect(throws: ArgyleError.self) {
      try UserDocument(["a": [.real(number)]], .metadata)
    }
    #expect(error?.message == "external_metadata must contain only finite numbers")
  }

  @Test func metadataIsEmbeddedInDocument() throws {
    let document = try UserDocument(["a": [1, "\"}"]], .metadata).text
    #expect(String(decoding: document, as: UTF8.self) == #"{"external_metadata":{"a":[1,"\"}"]}}"#)
  }
}
