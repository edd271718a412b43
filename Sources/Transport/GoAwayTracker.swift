import CPlatform
import Support

/// HTTP/2 connections that received GOAWAY, with the last stream that the server processes on each.
///
/// A request on a later stream was not processed and is safe to retry, whatever it does (RFC 9113, 6.8). libcurl knows
/// that, but it resends such a request like one whose connection died, or reports an empty response; stream numbers
/// appear only in its trace. If the trace has other texts than expected here, no request counts as refused.
final class GoAwayTracker {
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

  /// Records a GOAWAY; a later one may lower the stream number.
  fileprivate func record(_ connection: ConnectionName, lastStream: UInt32) {
    if let entry = find(connection) {
      entry.lastStream = min(entry.lastStream, lastStream)
      return
    }
    if list.count == GoAwayTracker.maxRemembered { list.removeFirst() }
    list.append(Entry(connection, lastStream))
  }

  /// Forgets the GOAWAY of an earlier connection with the same addresses: all streams are accepted again.
  fileprivate func forget(_ connection: ConnectionName) {
    find(connection)?.lastStream = UInt32.max
  }

  /// Whether the server said that it did not process a stream.
  func refuses(_ stream: StreamTrace) -> Bool {
    if stream.isRefused { return true }
    guard !list.isEmpty, stream.number > 0, let connection = stream.connection,
      let entry = find(connection)
    else { return false }
    return entry.lastStream < stream.number
  }
}

/// Identifies an open connection by the addresses and ports of both sides.
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

/// The state of an attempt's HTTP/2 stream, read from libcurl's trace.
///
/// The trace texts are those of libcurl 7.88 and of 8.12 to 8.23.
struct StreamTrace {
  var connection: ConnectionName?
  /// The stream's number; 0 if unknown.
  private(set) var number: UInt32 = 0
  /// Whether the server refused the stream.
  fileprivate private(set) var isRefused = false
  /// Whether libcurl started to resend the request, be it for a refused stream or a lost connection.
  private(set) var wasRetried = false
  /// Whether the server requires HTTP/1.1.
  private(set) var needsHTTP1 = false
  /// Whether trace lines about a connection are certain to be about this one.
  ///
  /// True until the first unexpected line after the request was sent: the attempt may look at other connections later.
  private var isTrusted = false

  /// Whether libcurl may have resent the request because the stream was refused, without saying so.
  var mayBeRefused: Bool { wasRetried && number > 0 && !isRefused }

  mutating func recordRefusal() {
    isRefused = true
  }

  /// Parses a line of the trace.
  mutating func parse(_ text: UnsafeRawBufferPointer, _ goAways: GoAwayTracker) {
    guard let connection else { return }
    if number == 0 {
      guard let number = StreamTrace.openedStream(in: text) else { return }
      self.number = number
      isTrusted = true
      if number == 1 { goAways.forget(connection) }
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
      goAways.record(connection, lastStream: last)
    } else if StreamTrace.refusedStream(in: text) == number {
      isRefused = true
    } else {
      isTrusted = false
    }
  }

  private static func openedStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    // libcurl 7 and 8, respectively.
    number(in: text, after: "Using Stream ID: ")
      ?? number(in: text, after: "[HTTP/2] [", before: "] OPENED stream ")
  }

  private static func refusedStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    number(in: text, after: "HTTP/2 stream ", before: " refused by server")
  }

  /// Whether the line appears for any request.
  private static func isRoutine(_ line: UnsafeRawBufferPointer) -> Bool {
    text(line, beginsWith: "We are completely uploaded")
      || text(line, beginsWith: "upload completely sent off")
      || text(line, beginsWith: "Request completely sent off")
      || text(line, beginsWith: "[HTTP/2] [")
      // The server may send tickets at any time, and does on a new connection.
      || text(line, beginsWith: "TLSv1.3 (IN), TLS handshake, Newsession Ticket")
      || text(line, beginsWith: "old SSL session ID is stale")
  }

  private static func lastStream(in text: UnsafeRawBufferPointer) -> UInt32? {
    // The typo is libcurl 7's.
    guard end(of: "recveived GOAWAY, ", in: text) ?? end(of: "received GOAWAY, ", in: text) != nil
    else { return nil }
    var comma = text.count - 1
    while text[comma] != UInt8(ascii: ",") { comma -= 1 }
    return number(in: UnsafeRawBufferPointer(rebasing: text[comma...]), after: ", last_stream=")
  }

  private static func text(
    _ text: UnsafeRawBufferPointer,
    beginsWith prefix: StaticString
  ) -> Bool {
    end(of: prefix, in: text) != nil
  }

  /// Returns the index after the prefix; nil if the text does not start with it.
  private static func end(of prefix: StaticString, in text: UnsafeRawBufferPointer) -> Int? {
    let count = prefix.utf8CodeUnitCount
    guard let start = text.baseAddress, text.count >= count,
      memcmp(start, prefix.utf8Start, count) == 0
    else { return nil }
    return count
  }

  /// Parses the number after a prefix, which `next` must follow unless it is empty.
  private static func number(
    in text: UnsafeRawBufferPointer,
    after prefix: StaticString,
    before next: StaticString = ""
  ) -> UInt32? {
    guard var index = end(of: prefix, in: text) else { return nil }
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
