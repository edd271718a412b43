import CPlatform

/// A secret that no message may contain; seeds contain it wherever a secret could occur.
let canary = "canary-secret-5f2c"

/// Passes an input from libFuzzer to the target that ARGYLE_FUZZ_TARGET names.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  target.fuzz([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

private enum Target: String, CaseIterable {
  case answer
  case claims
  case metadata
  case next
  case options
  case retryAfter = "retry_after"

  func fuzz(_ input: [UInt8]) {
    switch self {
    case .answer: fuzzAnswer(input)
    case .claims: fuzzClaims(input)
    case .metadata: fuzzMetadata(input)
    case .next: fuzzNext(input)
    case .options: fuzzOptions(input)
    case .retryAfter: fuzzRetryAfter(input)
    }
  }
}

private let target: Target = {
  let name = getenv("ARGYLE_FUZZ_TARGET").map { String(cString: $0) }
  guard let target = Target(rawValue: name ?? "") else {
    let names = Target.allCases.map { $0.rawValue }.joined(separator: ", ")
    fatalError("ARGYLE_FUZZ_TARGET must be one of \(names)")
  }
  return target
}()

/// Aborts the run if a condition does not hold; libFuzzer then saves the input.
func expect(
  _ condition: Bool,
  _ rule: @autoclosure () -> String,
  file: StaticString = #fileID,
  line: UInt = #line
) {
  if !condition { fatalError(rule(), file: file, line: line) }
}
