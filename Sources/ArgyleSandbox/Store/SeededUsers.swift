/// An endless sequence of users whose ids, times and metadata are determined by a seed.
struct SeededUsers {
  /// 2022-01-01T00:00:00Z.
  private static var beginning: Int64 { 1_640_995_200_000 }
  /// Bound of the milliseconds between two users, which spreads a million users over about two months.
  private static var maximumInterval: UInt64 { 10_000 }

  private var generator: SeededGenerator
  private var time = Timestamp(milliseconds: SeededUsers.beginning)
  private var number = 0

  init(seed: Int) {
    generator = SeededGenerator(seed: seed)
  }

  mutating func next() -> User {
    let interval = Int64(generator.next() % Self.maximumInterval)
    time = Timestamp(milliseconds: time.milliseconds + interval)
    number += 1
    let group = ["A", "B", "C"][Int(generator.next() % 3)]
    return User(
      id: .timeOrdered(time, using: &generator),
      createdAt: time,
      externalMetadata: Bytes("{\"group\":\"\(group)\",\"number\":\(number)}".utf8)
    )
  }
}
