import Support

/// The path and query of a request.
struct RequestTarget {
  /// The path as sent, without an absolute target's scheme and authority, which may contain a password.
  let path: Bytes

  /// The path's segments, decoded one by one: an escaped slash is not a separator.
  let segments: [Bytes]

  let parameters: [QueryParameter]

  /// Parses the target of a request line.
  init(_ raw: Bytes) {
    let slash = UInt8(ascii: "/")
    var target = raw[...]
    // In the absolute form, which servers must accept, the path follows scheme and authority.
    if target.first != slash, let scheme = target.firstIndex(of: UInt8(ascii: ":")) {
      target = target[scheme...].dropFirst(3).drop { $0 != slash && $0 != UInt8(ascii: "?") }
    }
    let path = target.prefix { $0 != UInt8(ascii: "?") }
    let query = target[path.endIndex...].dropFirst()
    self.path = Bytes(path)

    var segments = path.split(separator: slash, omittingEmptySubsequences: false)
    // Before the first slash and after a trailing one, there is no segment.
    if segments.first?.isEmpty == true { segments.removeFirst() }
    if segments.last?.isEmpty == true { segments.removeLast() }
    self.segments = segments.map { PercentEncoding.decode($0) }
    parameters = query.split(separator: UInt8(ascii: "&")).map { QueryParameter(text: Bytes($0)) }
  }

  /// The decoded value of the last parameter with this name; nil if absent.
  func parameter(_ name: String) -> Bytes? {
    parameters.last { $0.name.matches(name) }?.value
  }
}
