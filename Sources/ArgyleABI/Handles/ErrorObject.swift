import Argyle
import CJansson
import Support

/// What an `argyle_error` points to: the error, with all that C may borrow made once and kept with it.
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
