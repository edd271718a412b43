/// An endless row of users that a seed determines: ids, times and metadata.
struct SeededUsers {
  /// 2022-01-01T00:00:00Z.
  private static var beginning: Int64 { 1_640_995_200_000 }
  /// The most milliseconds from one user to the next: a million of them come within some two months.
  private static var pause: UInt64 { 10_000 }

  private var generator: SeededGenerator
  private var time = Timestamp(milliseconds: SeededUsers.beginning)
  private var number = 0

  init(seed: Int) {
    generator = SeededGenerator(seed: seed)
  }

  mutating func next() -> User {
    let pause = Int64(generator.next() % Self.pause)
    time = Timestamp(milliseconds: time.milliseconds + pause)
    number += 1
    let group = ["A", "B", "C"][Int(generator.next() % 3)]
    return User(
      id: .timeOrdered(time, using: &generator),
      createdAt: time,
      externalMetadata: Bytes("{\"group\":\"\(group)\",\"number\":\(number)}".utf8)
    )
  }
}
