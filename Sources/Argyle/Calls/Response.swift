/// The service's answer to one request.
package struct Response: Sendable {
  package let head: ResponseHead
  /// The body after decompression.
  package let body: [UInt8]

  /// Whether the status is any of 2xx: which one the service sends is not to be relied on.
  var isSuccess: Bool { (200..<300).contains(head.status) }
}
