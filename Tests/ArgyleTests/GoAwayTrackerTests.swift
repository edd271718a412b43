import Testing
@testable import Transport

/// Which HTTP/2 streams a server has refused, according to libcurl's trace.
struct GoAwayTrackerTests {
  private static let first = ConnectionName("127.0.0.1", 443, "127.0.0.1", 50000)
  private static let second = ConnectionName("127.0.0.1", 443, "127.0.0.1", 50001)
  private static let goaway = "recveived GOAWAY, error=0, last_stream=199\n"

  private let tracker = GoAwayTracker()

  private func stream(_ connection: ConnectionName?, _ lines: String...) -> StreamTrace {
    var stream = StreamTrace()
    stream.connection = connection
    for line in lines {
      var line = line
      line.withUTF8 { stream.parse(UnsafeRawBufferPointer($0), tracker) }
    }
    return stream
  }

  private func stream(_ connection: ConnectionName, _ number: Int) -> StreamTrace {
    stream(connection, "Using Stream ID: \(number) (easy handle 0x1)\n")
  }

  @Test(arguments: [
    goaway, "received GOAWAY, error=0, last_stream=199\n",
    "received GOAWAY, error=2, last_stream=199",
  ])
  func streamsAfterLastStreamAreRefused(line: String) {
    #expect(!tracker.refuses(stream(Self.first, 201)))
    let trusted = stream(
      Self.first,
      "Using Stream ID: 191 (easy handle 0x1)\n",
      "We are completely uploaded and fine\n",
      line
    )
    #expect(!tracker.refuses(trusted))
    #expect(!tracker.refuses(stream(Self.first, 199)))
    #expect(tracker.refuses(stream(Self.first, 201)))
    #expect(!tracker.refuses(stream(Self.second, 201)))
    #expect(!tracker.refuses(stream(Self.first, "Server auth using Basic with user 'u'\n")))
  }

  private static let opened = "Using Stream ID: 201 (easy handle 0x1)\n"

  @Test(arguments: [opened, "[HTTP/2] [201] OPENED stream for https://127.0.0.1/v1/users\n"])
  func streamIsParsedFromTracesOfBothVersions(line: String) {
    #expect(stream(Self.first, line).number == 201)
    _ = stream(Self.first, line, Self.goaway)
    #expect(tracker.refuses(stream(Self.first, line)))
  }

  @Test(arguments: [
    "[HTTP/2] [201] OPENED", "[HTTP/2] [x] OPENED stream for h", "[HTTP/2] [201] [:method: GET]",
    "[HTTP/2] [4294967296] OPENED stream for h", "Using Stream ID: ", "Using stream 201",
  ])
  func otherTracesContainNoStream(line: String) {
    let other = stream(
      Self.first,
      line,
      "HTTP/2 stream 201 refused by server, try again on a new connection\n",
      "REFUSED_STREAM, retrying a fresh connect\n",
      "Connection died, retrying a fresh connect (retry count: 1)\n"
    )
    #expect(other.number == 0)
    #expect(!other.mayBeRefused)
    #expect(!tracker.refuses(other))
  }

  @Test(arguments: [
    "We are completely uploaded and fine\n", "upload completely sent off: 2 bytes\n",
    "Request completely sent off\n", "[HTTP/2] [201] [:method: POST]\n",
    "TLSv1.3 (IN), TLS handshake, Newsession Ticket (4):\n",
    "old SSL session ID is stale, removing\n",
  ])
  func routineLinesDoNotEndTrust(line: String) {
    _ = stream(Self.first, Self.opened, line, Self.goaway)
    #expect(tracker.refuses(stream(Self.first, 201)))
  }

  @Test(arguments: [
    "HTTP/2 stream 201 refused by server, try again on a new connection\n",
    "REFUSED_STREAM, retrying a fresh connect\n",
  ])
  func singleStreamIsRefused(line: String) {
    let refused = stream(
      Self.first,
      Self.opened,
      line,
      "Connection died, retrying a fresh connect\n"
    )
    #expect(tracker.refuses(refused))
    #expect(refused.wasRetried)
    #expect(!refused.mayBeRefused)
    #expect(!tracker.refuses(stream(Self.first, 203)))
  }

  @Test(arguments: [
    "HTTP/2 stream 203 refused by server, try again on a new connection\n",
    "HTTP/2 stream 201 was refused\n",
    "HTTP/2 stream 201 reset by server (error 0x7 REFUSED_STREAM)\n",
    "REFUSED_STREAM\n",
  ])
  func otherTracesAreNoRefusal(line: String) {
    #expect(!tracker.refuses(stream(Self.first, Self.opened, line)))
  }

  @Test func retriedStreamMayBeRefused() {
    let died = "Connection died, retrying a fresh connect (retry count: 1)\n"
    var left = stream(Self.first, Self.opened, died)
    #expect(left.mayBeRefused)
    #expect(!tracker.refuses(left))
    left.recordRefusal()
    #expect(!left.mayBeRefused)
    #expect(tracker.refuses(left))
    #expect(!stream(Self.first, died).mayBeRefused)
  }

  @Test func serverMayRequireHTTP1() {
    let line = "Downgrades to HTTP/1.1\n"
    #expect(stream(Self.first, Self.opened, line).needsHTTP1)
    #expect(!stream(Self.first, Self.opened, Self.goaway).needsHTTP1)
  }

  @Test func serverMayLowerLastStream() {
    _ = stream(
      Self.first,
      "Using Stream ID: 191 (easy handle 0x1)\n",
      "received GOAWAY, error=0, last_stream=2147483647\n",
      "received GOAWAY, error=0, last_stream=203\n",
      "received GOAWAY, error=0, last_stream=2147483647\n"
    )
    #expect(!tracker.refuses(stream(Self.first, 203)))
    #expect(tracker.refuses(stream(Self.first, 205)))
  }

  @Test(arguments: [
    "Connection died, retrying a fresh connect (retry count: 1)\n", "Found bundle for host: 0x1\n",
    "anything else",
  ])
  func attemptThatLeftItsConnectionIsNotTrusted(line: String) {
    _ = stream(Self.first, "Using Stream ID: 191 (easy handle 0x1)\n", line, Self.goaway)
    _ = stream(Self.first, line, Self.goaway)
    _ = stream(nil, "Using Stream ID: 191 (easy handle 0x1)\n", Self.goaway)
    #expect(!tracker.refuses(stream(Self.first, 201)))
  }

  @Test(arguments: [
    "GOAWAY", "received GOAWAY, error=0, last_stream=", "received GOAWAY, error=0, last_stream=x",
    "received GOAWAY, error=0, last_stream=4294967296", "received GOAWAY, last=1, error=0",
  ])
  func otherTracesRefuseNothing(line: String) {
    _ = stream(Self.first, "Using Stream ID: 191 (easy handle 0x1)\n", line)
    #expect(!tracker.refuses(stream(Self.first, 201)))
  }

  @Test func newConnectionWithSamePortsIsDistinct() {
    _ = stream(Self.first, "Using Stream ID: 191 (easy handle 0x1)\n", Self.goaway)
    #expect(!tracker.refuses(stream(Self.first, 1)))
    #expect(!tracker.refuses(stream(Self.first, 201)))
  }

  @Test func rememberedConnectionsAreLimited() {
    for port in Int32(1)...1000 {
      let connection = ConnectionName("127.0.0.1", 443, "127.0.0.1", port)
      _ = stream(connection, "Using Stream ID: 191 (easy handle 0x1)\n", Self.goaway)
      #expect(tracker.refuses(stream(connection, 201)))
    }
    #expect(!tracker.refuses(stream(ConnectionName("127.0.0.1", 443, "127.0.0.1", 1), 201)))
  }
}
