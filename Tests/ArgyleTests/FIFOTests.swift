import Testing

@testable import Argyle

struct FIFOTests {
  @Test func givesBackWhatItTookInItsOrder() {
    var list = FIFO<Int>()
    var expected = 0
    var next = 0
    for round in 0..<2000 {
      for _ in 0..<(round % 7) {
        list.append(next)
        next += 1
      }
      for _ in 0..<(round % 5) {
        guard let element = list.popFirst() else { break }
        #expect(element == expected)
        expected += 1
      }
      #expect(list.remaining == Array(expected..<next))
    }
    while let element = list.popFirst() {
      #expect(element == expected)
      expected += 1
    }
    #expect(expected == next)
    #expect(list.popFirst() == nil)
  }
}
