import Support
import Transport

extension ClientOptions {
  /// Every option by its name in argyle.h, with its type and rule.
  package static var table: OptionTable<ClientOptions> {
    OptionTable([
      Option("key_id", .text({ $0.keyID }, { $0.keyID = $1 }, rule: rule(ofKeyID:))),
      Option("key_secret", .secret({ $0.secret }, { $0.secret = $1 }, rule: rule(ofKey:))),
      Option(
        "environment",
        .choice(["production", "sandbox"]) { $0.environment = $1 == 0 ? .production : .sandbox }
      ),
      // Not checked here: parsing the URLs later reports which rule is broken.
      Option("base_url", unchecked { $0.environment = .custom(baseURL: $1) }),
      Option(
        "api_version",
        .integer(
          1...2,
          { $0.apiVersion.rawValue },
          { $0.apiVersion = APIVersion(rawValue: $1) ?? $0.apiVersion }
        )
      ),
      Option("timeout_ms", .milliseconds({ $0.timeout }, { $0.timeout = $1 })),
      Option(
        "connect_timeout_ms",
        .milliseconds({ $0.connectTimeout }, { $0.connectTimeout = $1 })
      ),
      Option("stall_timeout_ms", .milliseconds({ $0.stallTimeout }, { $0.stallTimeout = $1 })),
      Option("deadline_ms", .milliseconds({ $0.deadline }, { $0.deadline = $1 })),
      Option("max_retries", .integer(0...100, { $0.maxRetries }, { $0.maxRetries = $1 })),
      Option("max_retry_after_ms", .milliseconds({ $0.maxRetryAfter }, { $0.maxRetryAfter = $1 })),
      Option(
        "max_response_bytes",
        .integer(1...Int(Int32.max), { $0.maxResponseBytes }, { $0.maxResponseBytes = $1 })
      ),
      Option(
        "max_requests_per_second",
        .number(
          0.001...1_000_000,
          "0.001 and 1000000",
          { $0.maxRequestsPerSecond },
          { $0.maxRequestsPerSecond = $1 }
        )
      ),
      Option("ca_file", .text({ $0.caFile }, { $0.caFile = $1 }, rule: RegularFile.rule)),
      Option("proxy", unchecked { $0.proxy = $1 }),
      Option(
        "client_certificate_file",
        .text(
          { $0.clientCertificateFile },
          { $0.clientCertificateFile = $1 },
          rule: RegularFile.rule
        )
      ),
      Option(
        "client_key_file",
        .text({ $0.clientKeyFile }, { $0.clientKeyFile = $1 }, rule: RegularFile.rule)
      ),
      Option(
        "client_key_password",
        .secret({ $0.keyPassword }, { $0.keyPassword = $1 }) {
          $0.contains(0) ? "must not contain a NUL character" : nil
        }
      ),
      Option(
        "application",
        .text({ $0.application }, { $0.application = $1 }, rule: rule(ofApplication:))
      ),
      Option("allow_insecure_http", .boolean { $0.allowInsecureHTTP = $1 }),
    ])
  }

  private static func unchecked(
    _ set: @escaping (inout ClientOptions, String) -> Void
  ) -> Option<ClientOptions>.Kind {
    .text({ _ in nil }, set, rule: { _ in nil })
  }

  private static func rule(ofKeyID text: String) -> String? {
    var text = text
    return text.withUTF8 {
      $0.contains(UInt8(ascii: ":")) ? "must not contain \":\"" : rule(ofKey: $0)
    }
  }

  private static func rule(ofKey text: UnsafeBufferPointer<UInt8>) -> String? {
    if text.isEmpty { return "must not be empty" }
    return text.contains { $0 < 0x20 || $0 == 0x7F } ? "must not contain control characters" : nil
  }

  private static func rule(ofApplication text: String) -> String? {
    let isPrintable = text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    return isPrintable && (1...128).contains(text.utf8.count)
      ? nil : "must be 1 to 128 printable ASCII characters"
  }
}
