/// The service's answer to one request.
package struct Response: Sendable {
  package let head: ResponseHead
  /// The body after decompression.
  package let body: [UInt8]

  package init(head: ResponseHead, body: [UInt8]) {
    self.head = head
    self.body = body
  }

  /// Whether the status is any of 2xx: which one the service sends is not to be relied on.
  package var isSuccess: Bool { (200..<300).contains(head.status) }
}
