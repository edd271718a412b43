import CJansson

extension JSONReference {
  /// Tells whether arrays and objects stand in each other more than `limit` levels deep.
  ///
  /// It goes no deeper itself, so that no tree can overflow the stack.
  static func isDeeper(_ value: UnsafePointer<json_t>, than limit: Int) -> Bool {
    switch argyle_json_type(value) {
    case JSON_ARRAY:
      if limit == 0 { return true }
      for index in 0..<json_array_size(value) {
        if let item = json_array_get(value, index), isDeeper(item, than: limit - 1) { return true }
      }
      return false
    case JSON_OBJECT:
      if limit == 0 { return true }
      var iterator = argyle_json_object_first(value)
      while let position = iterator {
        if let item = json_object_iter_value(position), isDeeper(item, than: limit - 1) {
          return true
        }
        iterator = argyle_json_object_next(value, position)
      }
      return false
    default:
      return false
    }
  }
}
