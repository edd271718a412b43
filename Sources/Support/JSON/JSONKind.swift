/// The kind of a JSON value.
package enum JSONKind {
  case object, array, string, integer, fraction, boolean, null
}
