import Testing

@testable import Argyle

struct ResponseHeadTests {
  @Test(arguments: [
    ("0", 0), ("7", 7000), ("-1", 0), ("-0", 0), ("007", 7000),
    ("99999999999999999999999999", 31_536_000_000),
    ("Thu, 01 Jan 1970 00:16:50 GMT", 10_000), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 31_536_000_000),
  ])
  func retryAfterIsReadAsSecondsOrDate(text: String, milliseconds: Int64) {
    #expect(ResponseHead.milliseconds(ofRetryAfter: text, receivedAt: 1000) == milliseconds)
  }

  @Test(arguments: ["", "-", "soon", "1.5s", "--1", "0x10", "\u{0}"])
  func retryAfterThatCannotBeReadSaysNothing(text: String) {
    #expect(ResponseHead.milliseconds(ofRetryAfter: text, receivedAt: 1000) == nil)
  }
}
