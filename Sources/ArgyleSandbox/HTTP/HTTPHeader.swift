/// A header field.
struct HTTPHeader {
  let name: String
  let value: String
}
