/// A list that is filled at one end and emptied at the other.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var first = 0

  /// Adds an element at the end.
  mutating func append(_ element: Element) {
    elements.append(element)
  }

  /// Takes the element at the beginning, or nil where there is none.
  mutating func popFirst() -> Element? {
    guard first < elements.count else { return nil }
    let element = elements[first]
    elements[first] = nil
    first += 1
    // What was taken is cut off once it is the larger part, so that each element is moved once at the most.
    if first == elements.count {
      elements.removeAll(keepingCapacity: first < 1024)
      first = 0
    } else if first > 1024, first > elements.count / 2 {
      elements.removeFirst(first)
      first = 0
    }
    return element
  }

  /// The elements in their order.
  var remaining: [Element] { elements[first...].compactMap { $0 } }
}
