/// A first-in, first-out queue from which any element can be removed.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var first = 0
  /// Number of elements dropped from the start of the array.
  private var removedCount = 0

  /// Appends an element and returns the number with which to remove it.
  mutating func append(_ element: Element) -> Int {
    elements.append(element)
    return removedCount + elements.count - 1
  }

  /// Removes the element with this number, which must be in the queue.
  mutating func remove(_ number: Int) {
    let index = number - removedCount
    if elements.indices.contains(index) { elements[index] = nil }
  }

  /// Removes and returns the first element; nil if the queue is empty.
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

  /// Drops removed elements once they are the larger part: each element moves at most once.
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

  /// The elements in order.
  var remaining: [Element] { elements[first...].compactMap { $0 } }
}
