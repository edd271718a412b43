/// A list that is filled at one end and emptied at the other, from which any element can be taken out.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var first = 0
  /// How many elements were cut off before those at hand.
  private var removedCount = 0

  /// Adds an element at the end, and gives the number by which it can be taken out.
  mutating func append(_ element: Element) -> Int {
    elements.append(element)
    return removedCount + elements.count - 1
  }

  /// Takes out the element of that number, which must be in the list.
  mutating func remove(_ number: Int) {
    let index = number - removedCount
    if elements.indices.contains(index) { elements[index] = nil }
  }

  /// Takes the element at the beginning, or nil where there is none.
  mutating func popFirst() -> Element? {
    while first < elements.count {
      let element = elements[first]
      elements[first] = nil
      first += 1
      compact()
      if let element { return element }
    }
    return nil
  }

  /// Gives back the memory of what was taken, once it is the larger part: each element is moved once at the most.
  private mutating func compact() {
    if first == elements.count {
      elements.removeAll(keepingCapacity: first < 1024)
    } else if first > 1024, first > elements.count / 2 {
      elements.removeFirst(first)
    } else {
      return
    }
    removedCount += first
    first = 0
  }

  /// The elements in their order.
  var remaining: [Element] { elements[first...].compactMap { $0 } }
}
