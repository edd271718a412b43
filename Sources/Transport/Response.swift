/// The service's response to one request.
package struct Response: Sendable {
  package let head: ResponseHead
  /// The decompressed body.
  package let body: [UInt8]

  package init(head: ResponseHead, body: [UInt8]) {
    self.head = head
    self.body = body
  }
}
