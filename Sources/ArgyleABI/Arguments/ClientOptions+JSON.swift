import Argyle
import CJansson
import Support

extension ClientOptions {
  /// Reads a new client's options from a JSON object.
  init(_ object: UnsafePointer<json_t>) throws(ArgyleError) {
    self.init(keyID: "", keySecret: "")
    try read(object, "options", requiring: ["key_id", "key_secret"])
  }

  /// Replaces the options that are in a JSON object.
  mutating func replace(with object: UnsafePointer<json_t>) throws(ArgyleError) {
    try read(object, "overrides", requiring: [])
  }

  /// Reads a new client's options from JSON text.
  init(_ text: ClientOptionsText) throws(ArgyleError) {
    self = try text.object.withValue { (object) throws(ArgyleError) in try ClientOptions(object) }
    text.applySecrets(to: &self)
  }

  /// Replaces the options that are in JSON text.
  mutating func replace(with text: ClientOptionsText) throws(ArgyleError) {
    var options = self
    try text.object.withValue { (object) throws(ArgyleError) in try options.replace(with: object) }
    text.applySecrets(to: &options)
    self = options
  }

  private mutating func read(
    _ object: UnsafePointer<json_t>,
    _ argument: StaticString,
    requiring required: [StaticString]
  ) throws(ArgyleError) {
    var options = self
    try ArgyleError.wrapping { () throws(OptionError) in
      try ClientOptions.table.read(
        object,
        argument,
        into: &options,
        requiring: required,
        alternatives: ("environment", "base_url")
      )
    }
    self = options
  }
}
