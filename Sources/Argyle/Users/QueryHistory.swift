/// The queries of a walk, to notice that it goes in a circle, in memory that does not grow with its length.
///
/// A circle of up to 64 pages is noticed before any is given twice. A longer one is noticed by an older query that is
/// remembered, a later one each time that the number of pages has doubled: before it has been gone around three times.
struct QueryHistory {
  private static let recentCapacity = 64

  /// Hashes of the latest queries, in a ring.
  private var recent: [UInt64] = []
  private var count = 0
  private var milestone: UInt64?
  private var nextMilestone = 1

  /// Remembers a query that was asked.
  mutating func add(_ query: String) {
    let hash = QueryHistory.hash(query)
    if recent.count < QueryHistory.recentCapacity {
      recent.append(hash)
    } else {
      recent[count % QueryHistory.recentCapacity] = hash
    }
    count += 1
    if count == nextMilestone {
      milestone = hash
      nextMilestone *= 2
    }
  }

  /// Whether a query is known to have been asked.
  func contains(_ query: String) -> Bool {
    let hash = QueryHistory.hash(query)
    return hash == milestone || recent.contains(hash)
  }

  /// FNV-1a.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
