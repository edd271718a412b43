// swift-tools-version: 6.1
import PackageDescription

// A package as a user of the library would write it, except for the path.
let package = Package(
  name: "consumer",
  dependencies: [.package(name: "libargyle", path: "../../..")],
  targets: [
    .executableTarget(
      name: "consumer",
      dependencies: [.product(name: "Argyle", package: "libargyle")]
    )
  ]
)
