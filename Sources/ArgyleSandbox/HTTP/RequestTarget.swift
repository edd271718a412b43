/// The path and query of a request.
struct RequestTarget {
  /// The path as it came, without what may stand before it: an absolute target can name a password.
  let path: Bytes

  /// The path's segments, each decoded by itself: an escaped slash is not a separator.
  let segments: [Bytes]

  let parameters: [QueryParameter]

  /// Reads a request target as it stands in the request line.
  init(_ raw: Bytes) {
    let slash = UInt8(ascii: "/")
    var target = raw[...]
    // In the absolute form, which servers must take, the path follows scheme and authority.
    if target.first != slash, let scheme = target.firstIndex(of: UInt8(ascii: ":")) {
      target = target[scheme...].dropFirst(3).drop { $0 != slash && $0 != UInt8(ascii: "?") }
    }
    let path = target.prefix { $0 != UInt8(ascii: "?") }
    let query = target[path.endIndex...].dropFirst()
    self.path = Bytes(path)

    var segments = path.split(separator: slash, omittingEmptySubsequences: false)
    // What stands before the first slash, and after one at the end, is nothing.
    if segments.first?.isEmpty == true { segments.removeFirst() }
    if segments.last?.isEmpty == true { segments.removeLast() }
    self.segments = segments.map { PercentEncoding.decode($0) }
    parameters = query.split(separator: UInt8(ascii: "&")).map { QueryParameter(text: Bytes($0)) }
  }

  /// The last value of a parameter.
  func parameter(_ name: String) -> Bytes? {
    parameters.last { $0.name.matches(name) }?.value
  }
}
