import Testing
@testable import Transport

struct ResponseHeadTests {
  @Test(arguments: [
    ("0", 0), ("7", 7000), ("-1", 0), ("-0", 0), ("007", 7000),
    ("99999999999999999999999999", 31_536_000_000),
    ("Thu, 01 Jan 1970 00:16:50 GMT", 10_000), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 31_536_000_000),
  ])
  func retryAfterIsSecondsOrDate(text: String, milliseconds: Int64) {
    #expect(ResponseHead.milliseconds(ofRetryAfter: text, receivedAt: 1000) == milliseconds)
  }

  @Test(arguments: ["", "-", "soon", "1.5s", "--1", "0x10", "\u{0}"])
  func invalidRetryAfterIsIgnored(text: String) {
    #expect(ResponseHead.milliseconds(ofRetryAfter: text, receivedAt: 1000) == nil)
  }

  @Test func headersKeepOrderAndSkipContinuationLines() {
    let headers = ResponseHeaders(
      "B: 1\r\na:\t2 \n continued: 3\r\nno header\r\n: 4\r\nB:\r\nC: d:e"
    )
    #expect(headers.all.map(\.name) == ["B", "a", "B", "C"])
    #expect(headers.all.map(\.value) == ["1", "2", "", "d:e"])
    #expect(headers["b"] == "1")
    #expect(headers[" continued"] == nil)
    #expect(ResponseHeaders().all.isEmpty)
  }
}
