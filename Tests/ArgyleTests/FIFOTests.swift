import Testing

@testable import Argyle

struct FIFOTests {
  @Test func returnsElementsInOrder() {
    var list = FIFO<Int>()
    var expected = 0
    var next = 0
    for round in 0..<2000 {
      for _ in 0..<(round % 7) {
        #expect(list.append(next) == next)
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

  @Test func removedElementsAreNotReturned() {
    var list = FIFO<Int>()
    for number in 0..<5000 { _ = list.append(number) }
    for _ in 0..<2000 { _ = list.popFirst() }
    for number in stride(from: 2000, to: 5000, by: 3) { list.remove(number) }
    // Removing elements that are already gone has no effect.
    for number in 0..<2000 { list.remove(number) }
    let expected = (2000..<5000).filter { ($0 - 2000) % 3 != 0 }
    #expect(list.remaining == expected)
    var returned: [Int] = []
    while let element = list.popFirst() { returned.append(element) }
    #expect(returned == expected)
  }
}
