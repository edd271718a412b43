import Support

/// The options of a sandbox.
public struct SandboxOptions: Sendable {
  /// The default id of the accepted API key.
  public static var defaultKeyID: String { "sandbox-key-id" }

  /// The default secret of the accepted API key.
  public static var defaultKeySecret: String { "sandbox-key-secret" }

  /// The accepted API key's id, which is the user name in HTTP Basic authentication.
  public var keyID = SandboxOptions.defaultKeyID

  /// The accepted API key's secret, which is the password in HTTP Basic authentication.
  ///
  /// It also signs the user tokens.
  public var keySecret = SandboxOptions.defaultKeySecret

  /// The TCP port on 127.0.0.1; 0 means any free port.
  public var port: UInt16 = 0

  /// The SQLite file that stores the users; nil keeps them in memory.
  public var database: String?

  /// The id of an API key of the other environment, which is recognised but rejected; nil for none.
  public var otherKeyID: String?

  /// The secret of that key.
  public var otherKeySecret: String?

  /// Faults to inject from the start, each a JSON object in the control interface's format.
  public var faults: [String] = []

  /// Seconds that a client has to start a request, to send it and to read the response, each.
  public var timeoutSeconds = 30

  /// The file to which a line is appended for each request; nil for none.
  ///
  /// A line that cannot be written immediately, such as to a full pipe, is dropped.
  public var log: String?

  /// The PEM file of the certificate for HTTPS, with its chain; nil for HTTP.
  public var certificate: String?

  /// The PEM file of the certificate's private key.
  public var certificateKey: String?

  /// Creates options with default values.
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
