import Support

/// How a sandbox is to run.
public struct SandboxOptions: Sendable {
  /// The API key's id that a sandbox accepts unless told otherwise.
  public static var defaultKeyID: String { "sandbox-key-id" }

  /// The API key's secret that a sandbox accepts unless told otherwise.
  public static var defaultKeySecret: String { "sandbox-key-secret" }

  /// The API key's id, which is the user name in HTTP Basic authentication.
  public var keyID = SandboxOptions.defaultKeyID

  /// The API key's secret, which is the password in HTTP Basic authentication.
  ///
  /// It also signs the user tokens.
  public var keySecret = SandboxOptions.defaultKeySecret

  /// The TCP port on 127.0.0.1, where 0 means any free one.
  public var port: UInt16 = 0

  /// The SQLite file that keeps the state, or nil to keep it in memory.
  public var database: String?

  /// The id of a key of the other environment, which is known and not accepted, or nil for none.
  public var otherKeyID: String?

  /// The secret of that key.
  public var otherKeySecret: String?

  /// The faults that are set from the start, each a JSON object as the control interface takes it.
  public var faults: [String] = []

  /// How many seconds a client may take to begin a request, to send it, and to take its answer, each.
  public var timeoutSeconds = 30

  /// The file to which a line is added for each request, or nil for none.
  ///
  /// A line that cannot be written at once, as to a pipe that is full, is left out.
  public var log: String?

  /// The PEM file of the certificate for HTTPS, with its chain, or nil for HTTP.
  public var certificate: String?

  /// The PEM file of the certificate's private key.
  public var certificateKey: String?

  /// Makes options with their defaults.
  public init() {}

  func validate() throws(SandboxError) {
    try Self.validate(keyID, "key id")
    if keySecret.utf8.isEmpty { throw .option("the key secret must not be empty") }
    if let otherKeyID { try Self.validate(otherKeyID, "other key id") }
    if (otherKeyID == nil) != (otherKeySecret == nil) {
      throw .option("the other key needs both an id and a secret")
    }
    if otherKeySecret?.utf8.isEmpty == true {
      throw .option("the other key secret must not be empty")
    }
    if let otherKeyID, otherKeyID.utf8.matches(keyID) {
      throw .option("the two keys must have different ids")
    }
    if let database, database.utf8.isEmpty {
      throw .option("the database file name must not be empty")
    }
    do {
      try SandboxOptions.table.check(self)
    } catch {
      throw SandboxError(error)
    }
    if (certificate == nil) != (certificateKey == nil) {
      throw .option("HTTPS needs both a certificate and its key")
    }
    _ = try faultPlan()
  }

  func faultPlan() throws(SandboxError) -> FaultPlan {
    let plan = FaultPlan()
    for fault in faults {
      do throws(SandboxError) {
        try plan.add(Bytes(fault.utf8))
      } catch {
        throw .option("fault '\(fault)': \(error.message)")
      }
    }
    return plan
  }

  func otherCredentials() -> BasicCredentials? {
    guard let otherKeyID, let otherKeySecret else { return nil }
    return BasicCredentials(keyID: otherKeyID, keySecret: otherKeySecret)
  }

  func identity() throws(SandboxError) -> TLSIdentity? {
    guard let certificate, let certificateKey else { return nil }
    return try TLSIdentity(certificate: certificate, key: certificateKey)
  }

  func accessLog() throws(SandboxError) -> AccessLog? {
    guard let log else { return nil }
    return try .open(log)
  }

  private static func validate(_ id: String, _ name: String) throws(SandboxError) {
    if id.utf8.isEmpty { throw .option("the \(name) must not be empty") }
    if id.utf8.contains(UInt8(ascii: ":")) {
      throw .option(
        "the \(name) must not contain a colon, which would end it in HTTP Basic authentication"
      )
    }
  }
}
