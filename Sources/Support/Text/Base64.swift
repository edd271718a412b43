/// The base64 encoding of RFC 4648, as used by HTTP Basic authentication.
package enum Base64 {
  /// Encodes bytes with padding.
  package static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    encode(bytes) { text.append($0) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Encodes bytes with padding, passing each character to `put`.
  package static func encode(_ bytes: some Sequence<UInt8>, _ put: (UInt8) -> Void) {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var bits: UInt32 = 0
    var bitCount = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      bitCount += 8
      while bitCount >= 6 {
        bitCount -= 6
        put(alphabet[Int(bits >> UInt32(bitCount) & 63)])
        count += 1
      }
    }
    if bitCount > 0 {
      put(alphabet[Int(bits << UInt32(6 - bitCount) & 63)])
      count += 1
    }
    while !count.isMultiple(of: 4) {
      put(UInt8(ascii: "="))
      count += 1
    }
  }
}
