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

  /// Makes options with their defaults.
  public init() {}

  func validate() throws(SandboxError) {
    if keyID.utf8.isEmpty { throw .option("the key id must not be empty") }
    if keyID.utf8.contains(UInt8(ascii: ":")) {
      throw .option(
        "the key id must not contain a colon, which ends it in HTTP Basic authentication"
      )
    }
    if keySecret.utf8.isEmpty { throw .option("the key secret must not be empty") }
    if let database, database.utf8.isEmpty {
      throw .option("the database's file name must not be empty")
    }
  }
}
