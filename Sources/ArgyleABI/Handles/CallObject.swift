import Argyle
import CJansson
import Interop

/// What an `argyle_call` points to: the call, with what C borrows kept with it.
final class CallObject {
  let call: Call
  /// What the caller wants back with the call.
  var tag: UnsafeMutableRawPointer?

  private var lentError: ErrorObject?
  private var lentBody: CText?
  private var lentHeaders: [(name: String, value: CText)] = []
  private var document: JSONReference?

  init(_ call: Call) {
    self.call = call
    call.context = Unmanaged.passUnretained(self).toOpaque()
  }
}

// MARK: - What C borrows

extension CallObject {
  /// The error of a call that failed.
  var error: ErrorObject? {
    if lentError == nil { lentError = call.error.map { ErrorObject($0) } }
    return lentError
  }

  /// The body of the answer to the last attempt.
  var body: CText? {
    if lentBody == nil { lentBody = call.body.map { CText($0) } }
    return lentBody
  }

  /// The first header of a name in the answer to the last attempt.
  func header(_ name: String) -> CText? {
    if let lent = lentHeaders.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
      return lent.value
    }
    guard let value = call.head?.headers[name] else { return nil }
    let lent = CText(value)
    lentHeaders.append((name, lent))
    return lent
  }

  /// The answer as JSON, parsed once; nil after a delete.
  func json() throws(ArgyleError) -> JSONReference? {
    if document == nil { document = try call.document() }
    return document
  }
}
