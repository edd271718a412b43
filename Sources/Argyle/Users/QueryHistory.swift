/// Detects cycles in the queries of a paged list, in constant memory.
///
/// A cycle of up to 64 pages is detected before any page is returned twice. For longer ones, a query is remembered each
/// time the number of pages doubles, so they are detected within three rounds.
struct QueryHistory {
  private static let recentCapacity = 64

  /// Ring buffer of hashes of the latest queries.
  private var recent: [UInt64] = []
  private var count = 0
  private var milestone: UInt64?
  private var nextMilestone = 1

  /// Records a query that was sent.
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

  /// Whether a query is known to have been sent.
  func contains(_ query: String) -> Bool {
    let hash = QueryHistory.hash(query)
    return hash == milestone || recent.contains(hash)
  }

  /// FNV-1a.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
