// swift-tools-version: 6.1
import PackageDescription

// One set of sources, two builds. With ARGYLE_EMBEDDED set, every Swift target is compiled as Embedded
// Swift: that is the library and the sandbox that `bindings/install` lays out. Without it, the package is
// ordinary Swift, for `swift test` and for packages that depend on `Argyle`.
let swiftSettings: [SwiftSetting] =
  Context.environment["ARGYLE_EMBEDDED"] == nil ? [] : [.enableExperimentalFeature("Embedded")]

let package = Package(
  name: "libargyle",
  products: [
    .library(name: "Argyle", targets: ["Argyle"]),
    .library(name: "argyle-c", type: .dynamic, targets: ["ArgyleABI"]),
    .library(name: "argyle-sandbox-c", type: .dynamic, targets: ["ArgyleSandboxABI"]),
    .executable(name: "argyle-sandbox", targets: ["argyle-sandbox"]),
  ],
  targets: [
    // C libraries and headers.
    .systemLibrary(name: "CArgyle", path: "include"),
    .systemLibrary(
      name: "CCurl",
      pkgConfig: "libcurl",
      providers: [.apt(["libcurl4-openssl-dev"])]
    ),
    .systemLibrary(
      name: "CJanssonLibrary",
      pkgConfig: "jansson",
      providers: [.apt(["libjansson-dev"])]
    ),
    .systemLibrary(
      name: "CMicrohttpd",
      pkgConfig: "libmicrohttpd",
      providers: [.apt(["libmicrohttpd-dev"])]
    ),
    .systemLibrary(
      name: "CSQLite",
      pkgConfig: "sqlite3",
      providers: [.apt(["libsqlite3-dev"])]
    ),
    .systemLibrary(name: "CJWT", pkgConfig: "libjwt", providers: [.apt(["libjwt-dev"])]),
    .target(name: "CPlatform"),
    .target(name: "CJansson", dependencies: ["CJanssonLibrary"]),

    // What the client and the sandbox share: C's values and handles, JSON, texts, the system.
    .target(
      name: "Support",
      dependencies: ["CJansson", "CPlatform"],
      swiftSettings: swiftSettings
    ),

    // HTTP, by libcurl.
    .target(
      name: "Transport",
      dependencies: ["CCurl", "CPlatform", "Support"],
      swiftSettings: swiftSettings
    ),

    // The client and its C ABI.
    .target(
      name: "Argyle",
      dependencies: ["CJansson", "CPlatform", "Support", "Transport"],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "ArgyleABI",
      dependencies: ["Argyle", "CArgyle", "CJansson", "CPlatform", "Support"],
      swiftSettings: swiftSettings
    ),

    // The sandbox server, its C ABI and its command.
    .target(
      name: "ArgyleSandbox",
      dependencies: [
        "CJWT", "CJansson", "CMicrohttpd", "CPlatform", "CSQLite", "Support",
      ],
      resources: [.embedInCode("OpenAPI/openapi.json")],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "ArgyleSandboxABI",
      dependencies: ["ArgyleSandbox", "CArgyle", "CJansson", "CPlatform", "Support"],
      swiftSettings: swiftSettings
    ),
    .executableTarget(
      name: "argyle-sandbox",
      dependencies: ["ArgyleSandbox", "CPlatform"],
      swiftSettings: swiftSettings
    ),

    .testTarget(
      name: "ArgyleTests",
      dependencies: [
        "Argyle", "ArgyleSandbox", "CCurl", "CJansson", "CPlatform", "Support", "Transport",
      ]
    ),
  ]
)

// Fuzzing takes a library that was built for it, and nobody else is to see its target.
if Context.environment["ARGYLE_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "ArgyleFuzz",
      dependencies: [
        "Argyle", "ArgyleABI", "CArgyle", "CCurl", "CJansson", "CPlatform", "Support", "Transport",
      ],
      path: "Tests/fuzz",
      exclude: ["seeds", "test_fuzzing.py"]
    )
  )
}
