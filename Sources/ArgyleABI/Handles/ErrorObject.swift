import Argyle
import CJansson
import Support

/// The object behind an `argyle_error`: the error and everything that C may borrow from it.
final class ErrorObject {
  let error: ArgyleError
  let message: CText
  let traceID: CText?
  let bodyText: CText?
  let body: JSONReference?

  init(_ error: ArgyleError) {
    self.error = error
    message = CText(error.message)
    traceID = error.traceID.map { CText($0) }
    bodyText = error.bodyBytes.map { CText($0) }
    body = error.document
  }
}
