import Support
import Testing

struct JSONScannerTests {
  private func scan(
    _ text: some Sequence<UInt8>,
    maximumDepth: Int = 100,
    member: String? = nil
  ) throws(JSONTextError) -> JSONScan {
    try JSONScanner.scan(Array(text), maximumDepth: maximumDepth, member: member)
  }

  @Test(arguments: [
    ("{}", JSONKind.object), (" { \"a\" : 1 , \"b\" : [ ] } ", .object),
    ("{\"a\":1,\"a\":1}", .object),
    ("[]", .array), ("\t[ 1 ,\r\n[ ] , { } ]", .array), ("[[],[[]],{\"\":{}}]", .array),
    ("\"\"", .string), (#""\"\\\/\b\f\n\r\t\u00e9\uD800\ud83d\ude00""#, .string),
    ("\"\u{7F}\"", .string),
    ("0", .integer), ("-0", .integer), ("123456789012345678901234567890", .integer),
    ("-0.5", .fraction), ("1e400", .fraction), ("0E-7", .fraction), ("1.5e+9", .fraction),
    ("true", .boolean), ("false", .boolean), (" null\n", .null),
  ])
  func validJSONIsAccepted(text: String, kind: JSONKind) throws {
    #expect(try scan(text.utf8).kind == kind)
  }

  @Test(arguments: [
    ("", "Expecting value", 0), (" \n", "Expecting value", 2), ("\u{FEFF}{}", "Expecting value", 0),
    ("\u{A0}1", "Expecting value", 0), ("x", "Expecting value", 0), ("nul", "Expecting value", 0),
    ("True", "Expecting value", 0), ("NaN", "Expecting value", 0),
    ("-Infinity", "Expecting digit", 1),
    ("+1", "Expecting value", 0), (".1", "Expecting value", 0), ("01", "Extra data", 1),
    ("1.", "Expecting digit", 2), ("1e", "Expecting digit", 2), ("1e+", "Expecting digit", 3),
    ("-", "Expecting digit", 1), ("0x1", "Extra data", 1), ("1 2", "Extra data", 2),
    ("{} {}", "Extra data", 3), ("{}\0", "Extra data", 2), ("]", "Expecting value", 0),
    ("[", "Expecting value", 1), ("[1", "Expecting ',' delimiter", 2),
    ("[1,]", "Expecting value", 3),
    ("[,1]", "Expecting value", 1), ("[1 2]", "Expecting ',' delimiter", 3),
    ("[}", "Expecting value", 1), ("[1}", "Expecting ',' delimiter", 2), ("[1]]", "Extra data", 3),
    ("{", "Expecting property name enclosed in double quotes", 1),
    ("{1:1}", "Expecting property name enclosed in double quotes", 1),
    ("{\"a\":1,}", "Expecting property name enclosed in double quotes", 7),
    ("{\"a\"}", "Expecting ':' delimiter", 4), ("{\"a\" 1}", "Expecting ':' delimiter", 5),
    ("{\"a\":}", "Expecting value", 5), ("{\"a\":1 \"b\":2}", "Expecting ',' delimiter", 7),
    ("{\"a\":1]", "Expecting ',' delimiter", 6), ("/**/1", "Expecting value", 0),
    ("\"a", "Unterminated string starting at", 0), ("[\"", "Unterminated string starting at", 1),
    ("\"a\n\"", "Invalid control character at", 2), ("\"\0\"", "Invalid control character at", 1),
    (#""\a""#, "Invalid \\escape", 1), (#""\"#, "Invalid \\escape", 1),
    (#""\u12G4""#, "Invalid \\uXXXX escape", 1), (#""\u+123""#, "Invalid \\uXXXX escape", 1),
    (#""\u12"#, "Invalid \\uXXXX escape", 1),
  ])
  func invalidJSONIsRejectedWithOffset(text: String, reason: String, offset: Int) {
    let error = #expect(throws: JSONTextError.self) { try scan(text.utf8) }
    #expect(error?.reason == reason)
    #expect(error?.offset == offset)
  }

  @Test func everyPrefixOfDocumentIsRejected() throws {
    let text = Array(#" {"a":[true,false,null,-1.5,"\u00e9é😀",{"":{}}]}"#.utf8)
    #expect(throws: Never.self) { try scan(text) }
    for count in text.indices {
      #expect(throws: JSONTextError.self) { try scan(text.prefix(count)) }
    }
  }

  /// Every text of one to four bytes at the boundaries of UTF-8's ranges, compared with Swift's validation.
  @Test func stringsMustBeUTF8() {
    let boundaries: [UInt8] = [
      0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
      0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    var texts: [[UInt8]] = [[]]
    var wrong = 0
    for _ in 0..<4 {
      texts = texts.flatMap { text in boundaries.map { text + [$0] } }
      for text in texts {
        let isAccepted = (try? scan([0x22] + text + [0x22])) != nil
        if isAccepted != (String(validating: text, as: UTF8.self) != nil) { wrong += 1 }
      }
    }
    #expect(wrong == 0)
  }

  @Test func keysAndOtherTextMustBeUTF8() {
    for text in [[0x7B, 0x22, 0xC3, 0x22, 0x3A, 0x31, 0x7D], [0xC3, 0xA9], [0x31, 0xFF]]
      as [[UInt8]]
    {
      #expect(throws: JSONTextError.self) { try scan(text) }
    }
  }

  @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
  func depthIsLimited(opening: String, closing: String) throws {
    func nested(_ levels: Int) -> String {
      String(repeating: opening, count: levels) + "1" + String(repeating: closing, count: levels)
    }
    #expect(throws: Never.self) { try scan(nested(0).utf8, maximumDepth: 0) }
    for limit in [0, 1, 2, 100, 5000] {
      #expect(throws: Never.self) { try scan(nested(limit).utf8, maximumDepth: limit) }
      let error = #expect(throws: JSONTextError.self) {
        try scan(nested(limit + 1).utf8, maximumDepth: limit)
      }
      #expect(error?.reason == "Nested too deeply")
      #expect(error?.offset == limit * opening.utf8.count)
    }
    #expect(throws: Never.self) { try scan(nested(1_000_000).utf8, maximumDepth: .max) }
    // Siblings add no depth.
    let flat = "[" + String(repeating: "[],{},[1],", count: 1000) + "0]"
    #expect(throws: Never.self) { try scan(flat.utf8, maximumDepth: 2) }
  }

  @Test(arguments: [
    (#"{"a":1}"#, "1"), (#" { "b" : 0 , "a" : [ 1 , {"a":2} ] , "c" : 3 } "#, #"[ 1 , {"a":2} ]"#),
    (#"{"a":1,"b":2,"a":"x"}"#, "\"x\""), (#"{"\u0061":-1.50}"#, "-1.50"),
    (#"{"a": null }"#, "null"),
    (#"{"a":{}}"#, "{}"), (#"{"a":[]}"#, "[]"), (#"{"a":true}"#, "true"),
  ])
  func memberIsReturnedAsText(text: String, expected: String) throws {
    let member = try #require(try scan(text.utf8, member: "a").member)
    #expect(String(decoding: member.text, as: UTF8.self) == expected)
    // The slice's indices are its position in the text.
    #expect(Array(text.utf8)[member.text.indices] == member.text)
    #expect(try scan(expected.utf8).kind == member.kind)
  }

  @Test(arguments: [
    (#"{"a":1}"#, "1"), (#"{"a":1,"b":2,"\u0061":"x"}"#, "\"x\""),
    (#"{"a":1,"a":[2,{"a":3}]}"#, "[2,{\"a\":3}]"),
    // After a syntax error, the last member found before it is kept.
    (#"{"a":1,"b":]"#, "1"), (#"{"a":1,"a":2,"a":"#, "2"), (#"{"a":1}}"#, "1"),
  ])
  func lastReadableMemberIsFound(text: String, expected: String) throws {
    let found = try JSONScanner.find("a", in: Array(text.utf8), maximumDepth: 3)
    #expect(found.kind == .object)
    #expect(String(decoding: try #require(found.member).text, as: UTF8.self) == expected)
  }

  @Test(arguments: [
    (#"{"b":[]}"#, false), (#"{"a":1,"b": [ ] ,"c":1}"#, false),
    (#"{"b":[1],"\u0062":[]}"#, false), (#"{"b":[],"b":[1]}"#, true), (#"{"b":[[]]}"#, true),
    (#"{"b":[{"b":[]}]}"#, true), (#"{"b":{}}"#, nil), (#"{"b":{"b":[]}}"#, nil),
    (#"{"b":null}"#, nil), (#"{"b":[1],"b":"x"}"#, nil), (#"{"c":[]}"#, nil), (#"[[]]"#, nil),
    (#"{"a":{"b":[]},"b":0}"#, nil),
  ])
  func arrayIsFound(text: String, hasItems: Bool?) throws {
    let bytes = Array(text.utf8)
    #expect(try JSONScanner.find("a", array: "b", in: bytes, maximumDepth: 9).hasItems == hasItems)
    let scan = try JSONScanner.scan(bytes, maximumDepth: 9, member: "a", array: "b")
    #expect(scan.hasItems == hasItems)
  }

  @Test(arguments: [
    "{}", #"{"A":1}"#, #"{"aa":1}"#, #"{"":1}"#, #"{"b":{"a":1}}"#, #"["a",{"a":1}]"#, "1",
  ])
  func missingMemberIsNil(text: String) throws {
    #expect(try scan(text.utf8, member: "a").member == nil)
  }

  @Test(arguments: [
    (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC""#, "é€"),
    (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{FFFD}"), (#""\ud83dx""#, "\u{FFFD}x"),
    (#""\ude00\ud83d\ud83d\ude00""#, "\u{FFFD}\u{FFFD}😀"), (#""\u0000""#, "\0"),
  ])
  func escapesAreDecoded(text: String, characters: String) throws {
    let member = try #require(try scan("{\"a\":\(text)}".utf8, member: "a").member)
    #expect(String(decoding: member.characters, as: UTF8.self) == characters)
  }

  @Test func errorCountsLinesAndCharacters() throws {
    let text = Array("{\"é\":\n \"ü\" 1}".utf8)
    let error = try #require(throws: JSONTextError.self) { try scan(text) }
    #expect(error.message(in: text) == "Expecting ',' delimiter: line 2 column 6 (char 11)")
  }
}
