import Testing

@testable import Argyle

struct FIFOTests {
  @Test func givesBackWhatItTookInItsOrder() {
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

  @Test func whatWasTakenOutIsNotGivenBack() {
    var list = FIFO<Int>()
    for number in 0..<5000 { _ = list.append(number) }
    for _ in 0..<2000 { _ = list.popFirst() }
    for number in stride(from: 2000, to: 5000, by: 3) { list.remove(number) }
    // Of elements that are gone already nothing happens.
    for number in 0..<2000 { list.remove(number) }
    let expected = (2000..<5000).filter { ($0 - 2000) % 3 != 0 }
    #expect(list.remaining == expected)
    var given: [Int] = []
    while let element = list.popFirst() { given.append(element) }
    #expect(given == expected)
  }
}
