import Argyle
import CJansson
import Support

extension ClientOptions {
  /// Reads the options of a new client from a JSON object.
  init(_ object: UnsafePointer<json_t>) throws(ArgyleError) {
    // Empty until read: a client refuses an empty key, so one that is missing is an error of its own only here.
    self.init(keyID: "", keySecret: "")
    let given = try apply(object, "options")
    guard given.keyID else { throw ArgyleError(.argument, "options must have key_id") }
    guard given.keySecret else { throw ArgyleError(.argument, "options must have key_secret") }
  }

  /// Replaces the options that a JSON object has.
  mutating func replace(with object: UnsafePointer<json_t>) throws(ArgyleError) {
    _ = try apply(object, "overrides")
  }

  /// Reads the options of a new client from a text.
  init(_ text: ClientOptionsText) throws(ArgyleError) {
    self = try text.object.withValue { (object) throws(ArgyleError) in try ClientOptions(object) }
    text.secrets(into: &self)
  }

  /// Replaces the options that a text has.
  mutating func replace(with text: ClientOptionsText) throws(ArgyleError) {
    var options = self
    try text.object.withValue { (object) throws(ArgyleError) in try options.replace(with: object) }
    text.secrets(into: &options)
    self = options
  }

  /// Which half of the key an object had.
  private struct GivenKey {
    var keyID = false
    var keySecret = false
  }

  private mutating func apply(
    _ object: UnsafePointer<json_t>,
    _ argument: String
  ) throws(ArgyleError) -> GivenKey {
    var options = self
    var given = GivenKey()
    var environmentIsGiven = false
    try ObjectMember.forEach(in: object, argument) { member throws(ArgyleError) in
      if member.isNamed("key_id") {
        options.keyID = try member.text()
        given.keyID = true
      } else if member.isNamed("key_secret") {
        options.secret = try member.secret()
        given.keySecret = true
      } else if member.isNamed("environment") || member.isNamed("base_url") {
        guard !environmentIsGiven else {
          throw ArgyleError(.argument, "environment and base_url must not both be given")
        }
        environmentIsGiven = true
        options.environment =
          member.isNamed("base_url")
          ? .custom(baseURL: try member.text()) : try ClientOptions.environment(member)
      } else if member.isNamed("timeout_ms") {
        options.timeout = .milliseconds(try member.integer())
      } else if member.isNamed("connect_timeout_ms") {
        options.connectTimeout = .milliseconds(try member.integer())
      } else if member.isNamed("stall_timeout_ms") {
        options.stallTimeout = .milliseconds(try member.integer())
      } else if member.isNamed("deadline_ms") {
        options.deadline = .milliseconds(try member.integer())
      } else if member.isNamed("max_retries") {
        options.maxRetries = try member.integer()
      } else if member.isNamed("max_retry_after_ms") {
        options.maxRetryAfter = .milliseconds(try member.integer())
      } else if member.isNamed("max_response_bytes") {
        options.maxResponseBytes = try member.integer()
      } else if member.isNamed("max_requests_per_second") {
        options.maxRequestsPerSecond = try member.number()
      } else if member.isNamed("ca_file") {
        options.caFile = try member.text()
      } else if member.isNamed("proxy") {
        options.proxy = try member.text()
      } else if member.isNamed("client_certificate_file") {
        options.clientCertificateFile = try member.text()
      } else if member.isNamed("client_key_file") {
        options.clientKeyFile = try member.text()
      } else if member.isNamed("client_key_password") {
        options.keyPassword = try member.secret()
      } else if member.isNamed("application") {
        options.application = try member.text()
      } else if member.isNamed("allow_insecure_http") {
        options.allowInsecureHTTP = try member.boolean()
      } else {
        throw ArgyleError(.argument, "\(argument) has an unknown key \"\(member.name.printable)\"")
      }
    }
    self = options
    return given
  }

  private static func environment(_ member: ObjectMember) throws(ArgyleError) -> Environment {
    let name = try member.text().utf8
    if name.elementsEqual("production".utf8) { return .production }
    if name.elementsEqual("sandbox".utf8) { return .sandbox }
    throw ArgyleError(.argument, "environment must be \"production\" or \"sandbox\"")
  }
}
