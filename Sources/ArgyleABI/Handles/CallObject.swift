import Argyle
import CJansson
import Support

/// The object behind an `argyle_call`: the call and what C borrows from it.
final class CallObject {
  let call: Call
  /// The caller's tag, returned with the call.
  var tag: UnsafeMutableRawPointer?

  private var borrowedUserID: CText?
  private var borrowedError: ErrorObject?
  private var borrowedBody: CText?
  private var borrowedHeaders: [(name: String, value: CText)] = []
  private var allHeaders: [(name: CText, value: CText)]?
  private var document: JSONReference?

  init(_ call: Call) {
    self.call = call
    call.context = Unmanaged.passUnretained(self).toOpaque()
  }
}

// MARK: - Borrowed by C

extension CallObject {
  /// The id of the call's user.
  var borrowedUser: CText? {
    if borrowedUserID == nil { borrowedUserID = call.userID.map { CText($0.text) } }
    return borrowedUserID
  }

  /// The error of a failed call.
  var error: ErrorObject? {
    if borrowedError == nil { borrowedError = call.error.map { ErrorObject($0) } }
    return borrowedError
  }

  /// The response body of the last attempt.
  var body: CText? {
    if borrowedBody == nil { borrowedBody = call.body.map { CText($0) } }
    return borrowedBody
  }

  /// The first header with this name in the last attempt's response.
  func header(_ name: String) -> CText? {
    if let lent = borrowedHeaders.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
      return lent.value
    }
    guard let value = call.header(name) else { return nil }
    let lent = CText(value)
    borrowedHeaders.append((name, lent))
    return lent
  }

  /// A header of the last attempt's response by index.
  func header(at index: Int) -> (name: CText, value: CText)? {
    if allHeaders == nil {
      allHeaders = call.headers?.map { (CText($0.name), CText($0.value)) }
    }
    guard let allHeaders, allHeaders.indices.contains(index) else { return nil }
    return allHeaders[index]
  }

  /// The response as JSON, parsed once; nil after a delete.
  func json() throws(ArgyleError) -> JSONReference? {
    if document == nil { document = try call.document() }
    return document
  }
}
