/// One parameter of a query, as it was sent.
struct QueryParameter {
  /// The name, the equals sign and the value, with their escapes.
  let text: Bytes

  var name: Bytes {
    PercentEncoding.decode(text.prefix { $0 != UInt8(ascii: "=") }, plusIsSpace: true)
  }

  var value: Bytes {
    let value = text.drop { $0 != UInt8(ascii: "=") }.dropFirst()
    return PercentEncoding.decode(value, plusIsSpace: true)
  }
}
