import CPlatform
import Support

/// The HTTP/2 connections whose end the server has announced, with the last stream that it takes on each.
///
/// A request on a later stream was not looked at, so that it can be sent again whatever it does (RFC 9113, 6.8).
/// libcurl knows, but it sends such a request again by itself in the same way as one whose connection has died, or
/// reports an empty answer; it tells the streams' numbers in its trace alone. Where its words are not those that are
/// looked for here, no request counts as refused.
final class EndedConnections {
  /// How many are remembered.
  private static let maxRemembered = 64

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
    if list.count == EndedConnections.maxRemembered { list.removeFirst() }
    list.append(Entry(connection, lastStream))
  }

  /// Forgets one whose addresses a new connection has: all its streams are taken.
  fileprivate func forget(_ connection: ConnectionName) {
    find(connection)?.lastStream = UInt32.max
  }

  /// Whether the server has said that it did not process a stream.
  func refuses(_ stream: StreamTrace) -> Bool {
    if stream.isRefused { return true }
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
///
/// The words are those of libcurl 7.88 and of 8.12 to 8.23.
struct StreamTrace {
  /// The connection that the attempt uses.
  var connection: ConnectionName?
  /// The stream's number; 0 if it is not known.
  private(set) var number: UInt32 = 0
  /// Whether the server has refused the stream.
  fileprivate private(set) var isRefused = false
  /// Whether libcurl set out to send the request again, for a refused stream or a lost connection alike.
  private(set) var wasRetried = false
  /// Whether the server wants HTTP/1.1 instead.
  private(set) var needsHTTP1 = false
  /// Whether what is said of a connection is certain to be said of this one.
  ///
  /// Nothing unexpected was said since the request was sent: the attempt may look at other connections later.
  private var isTrusted = false

  /// Whether libcurl may have left the stream because it was refused, without saying so.
  var mayBeRefused: Bool { wasRetried && number > 0 && !isRefused }

  /// Notes that the server has refused the stream.
  mutating func noteRefusal() {
    isRefused = true
  }

  /// Reads a line of the trace.
  mutating func note(_ text: UnsafeRawBufferPointer, _ ended: EndedConnections) {
    guard let connection else { return }
    if number == 0 {
      guard let number = StreamTrace.openedStream(in: text) else { return }
      self.number = number
      isTrusted = true
      if number == 1 { ended.forget(connection) }
    } else if StreamTrace.text(text, beginsWith: "Connection died, retrying") {
      wasRetried = true
      isTrusted = false
    } else if StreamTrace.text(text, beginsWith: "REFUSED_STREAM, retrying") {
      isRefused = true
    } else if StreamTrace.text(text, beginsWith: "Downgrades to HTTP/1.1") {
      needsHTTP1 = true
      isTrusted = false
    } else if !isTrusted || StreamTrace.isRoutine(text) {
      return
    } else if let last = StreamTrace.lastStream(in: text) {
      ended.note(connection, lastStream: last)
    } else if StreamTrace.refusedStream(in: text) == number {
      isRefused = true
    } else {
      isTrusted = false
    }
  }

  private static func openedStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    // libcurl 7 and 8.
    number(in: text, after: "Using Stream ID: ")
      ?? number(in: text, after: "[HTTP/2] [", before: "] OPENED stream ")
  }

  private static func refusedStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    number(in: text, after: "HTTP/2 stream ", before: " refused by server")
  }

  /// Whether the line is one that any request brings.
  private static func isRoutine(_ line: UnsafeRawBufferPointer) -> Bool {
    text(line, beginsWith: "We are completely uploaded")
      || text(line, beginsWith: "upload completely sent off")
      || text(line, beginsWith: "Request completely sent off")
      || text(line, beginsWith: "[HTTP/2] [")
      // The server may send them at any time, and does on a new connection.
      || text(line, beginsWith: "TLSv1.3 (IN), TLS handshake, Newsession Ticket")
      || text(line, beginsWith: "old SSL session ID is stale")
  }

  private static func lastStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    // libcurl 7 has a slip of the pen there.
    guard end(of: "recveived GOAWAY, ", in: text) ?? end(of: "received GOAWAY, ", in: text) != nil
    else { return nil }
    var comma = text.count - 1
    while text[comma] != UInt8(ascii: ",") { comma -= 1 }
    return number(in: UnsafeRawBufferPointer(rebasing: text[comma...]), after: ", last_stream=")
  }

  private static func text(
    _ text: UnsafeRawBufferPointer,
    beginsWith beginning: StaticString
  ) -> Bool {
    end(of: beginning, in: text) != nil
  }

  /// Where a beginning of the text ends; nil where it begins otherwise.
  private static func end(of beginning: StaticString, in text: UnsafeRawBufferPointer) -> Int? {
    let count = beginning.utf8CodeUnitCount
    guard let start = text.baseAddress, text.count >= count,
      memcmp(start, beginning.utf8Start, count) == 0
    else { return nil }
    return count
  }

  /// The number that follows the text's beginning, and is followed by another text if one is given.
  private static func number(
    in text: UnsafeRawBufferPointer,
    after beginning: StaticString,
    before next: StaticString = ""
  ) -> UInt32? {
    guard var index = end(of: beginning, in: text) else { return nil }
    let start = index
    var number: UInt64 = 0
    while index < text.count, text[index].isASCIIDigit {
      number = number * 10 + UInt64(text[index] - UInt8(ascii: "0"))
      guard number <= UInt32.max else { return nil }
      index += 1
    }
    guard index > start else { return nil }
    let rest = UnsafeRawBufferPointer(rebasing: text[index...])
    return next.utf8CodeUnitCount == 0 || self.text(rest, beginsWith: next) ? UInt32(number) : nil
  }
}
