import Support

/// A query parameter.
struct QueryParameter {
  /// Name, equals sign and value as sent, not decoded.
  let text: Bytes

  var name: Bytes {
    PercentEncoding.decode(text.prefix { $0 != UInt8(ascii: "=") }, plusIsSpace: true)
  }

  var value: Bytes {
    let value = text.drop { $0 != UInt8(ascii: "=") }.dropFirst()
    return PercentEncoding.decode(value, plusIsSpace: true)
  }
}
