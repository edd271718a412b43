import CPlatform

/// The HTTP/2 connections whose end the server has announced, with the last stream that it takes on each.
///
/// A request on a later stream was not looked at, so that it can be sent again whatever it does (RFC 9113, 6.8).
/// libcurl knows, but it sends such a request again by itself in the same way as one whose connection has died, or
/// reports an empty answer; it tells the streams' numbers in its trace alone. Where its words are not those that are
/// looked for here, no request counts as refused.
final class EndedConnections {
  /// How many are remembered.
  private static let most = 64

  private final class Entry {
    let connection: ConnectionName
    var lastStream: UInt32

    init(_ connection: ConnectionName, _ lastStream: UInt32) {
      self.connection = connection
      self.lastStream = lastStream
    }
  }

  private var list: [Entry] = []

  private func find(_ connection: ConnectionName) -> Entry? {
    for entry in list where entry.connection.bytes == connection.bytes { return entry }
    return nil
  }

  /// Notes what the server has said; it may lower the number later.
  fileprivate func note(_ connection: ConnectionName, lastStream: UInt32) {
    if let entry = find(connection) {
      entry.lastStream = min(entry.lastStream, lastStream)
      return
    }
    if list.count == EndedConnections.most { list.removeFirst() }
    list.append(Entry(connection, lastStream))
  }

  /// Forgets one whose addresses a new connection has: all its streams are taken.
  fileprivate func forget(_ connection: ConnectionName) {
    find(connection)?.lastStream = UInt32.max
  }

  /// Whether the server has said that it did not look at a stream.
  func refuses(_ stream: StreamTrace) -> Bool {
    guard !list.isEmpty, stream.number > 0, let connection = stream.connection,
      let entry = find(connection)
    else { return false }
    return entry.lastStream < stream.number
  }
}

/// What a connection is known by while it lasts: the addresses and ports of both sides.
struct ConnectionName {
  fileprivate private(set) var bytes: [UInt8] = []

  init(
    _ remote: UnsafePointer<CChar>?,
    _ remotePort: Int32,
    _ local: UnsafePointer<CChar>?,
    _ localPort: Int32
  ) {
    append(remote, remotePort)
    append(local, localPort)
  }

  private mutating func append(_ address: UnsafePointer<CChar>?, _ port: Int32) {
    if let address {
      bytes.append(contentsOf: UnsafeRawBufferPointer(start: address, count: strlen(address)))
    }
    bytes.append(0)
    bytes.append(UInt8(truncatingIfNeeded: port >> 8))
    bytes.append(UInt8(truncatingIfNeeded: port))
  }
}

/// What libcurl's trace of one attempt tells of its HTTP/2 stream.
struct StreamTrace {
  /// The connection that the attempt uses.
  var connection: ConnectionName?
  /// The stream's number; 0 where it is not known.
  private(set) var number: UInt32 = 0
  /// Whether what is said of a connection is certain to be said of this one.
  ///
  /// Nothing unexpected was said since the request was sent: the attempt may look at other connections later.
  private var isWitness = false

  /// Takes in a line of the trace.
  mutating func note(_ text: UnsafeRawBufferPointer, _ ended: EndedConnections) {
    guard let connection else { return }
    if number == 0 {
      guard let number = StreamTrace.number(in: text, after: "Using Stream ID: ") else { return }
      self.number = number
      isWitness = true
      if number == 1 { ended.forget(connection) }
    } else if !isWitness || StreamTrace.end(of: "We are completely uploaded", in: text) != nil {
      return
    } else if let last = StreamTrace.lastStream(in: text) {
      ended.note(connection, lastStream: last)
    } else {
      isWitness = false
    }
  }

  private static func lastStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    // libcurl 7 has a slip of the pen there.
    guard end(of: "recveived GOAWAY, ", in: text) ?? end(of: "received GOAWAY, ", in: text) != nil
    else { return nil }
    var comma = text.count - 1
    while text[comma] != UInt8(ascii: ",") { comma -= 1 }
    return number(in: UnsafeRawBufferPointer(rebasing: text[comma...]), after: ", last_stream=")
  }

  /// Where a beginning of the text ends; nil where it begins otherwise.
  private static func end(of beginning: StaticString, in text: UnsafeRawBufferPointer) -> Int? {
    let count = beginning.utf8CodeUnitCount
    guard let start = text.baseAddress, text.count >= count,
      memcmp(start, beginning.utf8Start, count) == 0
    else { return nil }
    return count
  }

  /// The number that follows the text's beginning.
  private static func number(in text: UnsafeRawBufferPointer, after beginning: StaticString)
    -> UInt32?
  {
    guard var index = end(of: beginning, in: text) else { return nil }
    let start = index
    var number: UInt64 = 0
    while index < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index]) {
      number = number * 10 + UInt64(text[index] - UInt8(ascii: "0"))
      guard number <= UInt32.max else { return nil }
      index += 1
    }
    return index > start ? UInt32(number) : nil
  }
}
