import Support
import Testing
@testable import Transport

@testable import Argyle

struct ClientOptionsTests {
  private func options(_ change: (inout ClientOptions) -> Void) -> ClientOptions {
    var options = ClientOptions(
      keyID: "id",
      keySecret: "secret",
      environment: .custom(baseURL: "http://127.0.0.1:1")
    )
    change(&options)
    return options
  }

  private func message(_ change: (inout ClientOptions) -> Void) -> String? {
    let error = #expect(throws: ArgyleError.self) { try Client(options(change)) }
    #expect(error?.code == .argument)
    return error?.message
  }

  @Test func keyIsValidated() {
    #expect(message { $0.keyID = "" } == "key_id must not be empty")
    #expect(message { $0.keyID = "a:b" } == #"key_id must not contain ":""#)
    #expect(message { $0.keyID = "a\nb" } == "key_id must not contain control characters")
    #expect(message { $0.keySecret = "" } == "key_secret must not be empty")
    #expect(message { $0.keySecret = "a\u{0}" } == "key_secret must not contain control characters")
  }

  @Test(arguments: [
    Duration.zero, .milliseconds(-5), .microseconds(999), .milliseconds(Int64(Int32.max) + 1),
    .seconds(Int64.max),
  ])
  func timeoutOutOfRangeIsRejected(time: Duration) {
    #expect(
      message { $0.timeout = time } == "timeout_ms must be between 1 and 2147483647 milliseconds"
    )
    #expect(message { $0.connectTimeout = time }?.hasPrefix("connect_timeout_ms must be") == true)
  }

  @Test func limitsAndFilesAreValidated() throws {
    #expect(
      message { $0.maxResponseBytes = 0 }
        == "max_response_bytes must be between 1 and 2147483647, got 0"
    )
    #expect(
      message { $0.caFile = "/nonexistent" } == "ca_file must be a regular file that can be read"
    )
    #expect(message { $0.application = "" }?.hasPrefix("application must be") == true)
    #expect(message { $0.application = "a\r\nX: y" }?.hasPrefix("application must be") == true)
    let settings = try ClientSettings(options { $0.application = "app/1.0" }).transfer
    #expect(settings.userAgent.hasPrefix("libargyle/0.1.0 libcurl/"))
    #expect(settings.userAgent.hasSuffix(" app/1.0"))
  }

  @Test(arguments: [
    ("", "must be a URL"), ("127.0.0.1", "must be a URL"), ("https://", "must be a URL"),
    ("https://host\u{0}.test", "must be a URL"), ("https://a b", "must be a URL"),
    ("ftp://127.0.0.1", "must begin with https:// or http://"),
    ("https://user@host.test", "must not contain a user name or password"),
    ("https://user:word@host.test", "must not contain a user name or password"),
    ("https://host.test?a=b", "must not contain a query or a fragment"),
    ("https://host.test/?", "must not contain a query or a fragment"),
    ("https://host.test#", "must not contain a query or a fragment"),
    ("https://host.test/v1", "must not end with /v1, which is added to it"),
    ("https://host.test/v1/", "must not end with /v1, which is added to it"),
    ("http://host.test", "must begin with https:// unless"),
    ("http://127.0.0.1.test", "must begin with https:// unless"),
    ("http://10.0.0.1", "must begin with https:// unless"),
    ("http://[::2]", "must begin with https:// unless"),
  ])
  func invalidBaseURLIsRejected(url: String, rule: String) {
    let error = #expect(throws: ArgyleError.self) {
      try Client(options { $0.environment = .custom(baseURL: url) })
    }
    #expect(error?.message.hasPrefix("base_url \(rule)") == true)
    #expect(error?.message.contains("word") == rule.contains("password"))
  }

  @Test(arguments: [
    ("https://api.argyle.com", "https://api.argyle.com", "api.argyle.com", false),
    (
      "https://host.test:8443/gate/way//", "https://host.test:8443/gate/way", "host.test:8443",
      false
    ),
    ("http://127.0.0.1:80", "http://127.0.0.1:80", "127.0.0.1:80", true),
    ("http://127.8.9.1/", "http://127.8.9.1", "127.8.9.1", true),
    ("http://localhost:1", "http://localhost:1", "localhost:1", true),
    ("http://LocalHost:1", "http://LocalHost:1", "LocalHost:1", true),
    ("http://[::1]:1", "http://[::1]:1", "[::1]:1", true),
  ])
  func validBaseURLIsParsed(url: String, text: String, authority: String, isLoopback: Bool)
    throws
  {
    let baseURL = try BaseURL(url, allowInsecureHTTP: false)
    #expect(baseURL.text == text)
    #expect(baseURL.authority == authority)
    #expect(baseURL.isLoopback == isLoopback)
  }

  @Test func addressZoneIsRejected() {
    #expect(throws: OptionError.self) {
      try BaseURL("https://[fe80::1%25eth0]/", allowInsecureHTTP: false)
    }
  }

  @Test func bothFormsOfKeyAreSecrets() throws {
    let settings = try ClientSettings(options { $0.keyID = "ü" })
    #expect(settings.secrets.map(\.text) == ["w7w6c2VjcmV0", "secret"])
    #expect(Base64.encode("a".utf8) == "YQ==")
    #expect(Base64.encode("ab".utf8) == "YWI=")
    #expect(Base64.encode("".utf8) == "")
  }

  @Test func descriptionsOmitBaseURL() {
    let environment = Environment.custom(baseURL: "https://u:canary@host.test")
    var dumped = ""
    dump(environment, to: &dumped)
    #expect(!"\(environment) \(String(reflecting: environment)) \(dumped)".contains("canary"))
  }

  @Test func insecureHTTPIsAllowedOnRequest() throws {
    #expect(try BaseURL("http://host.test", allowInsecureHTTP: true).text == "http://host.test")
  }

  @Test func environmentsHaveArgyleURLs() throws {
    #expect(Environment.production.baseURL == "https://api.argyle.com")
    #expect(Environment.sandbox.baseURL == "https://api-sandbox.argyle.com")
  }

  @Test func descriptionsOmitKey() {
    let options = options { $0.keySecret = "canary" }
    var dumped = ""
    dump(options, to: &dumped)
    #expect(!"\(options) \(String(reflecting: options)) \(dumped)".contains("canary"))
  }
}
