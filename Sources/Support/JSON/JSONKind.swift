/// What kind of value a JSON text is.
package enum JSONKind {
  case object, array, string, integer, fraction, boolean, null
}
