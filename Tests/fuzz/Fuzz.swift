import CPlatform

/// A secret that no message may show; seeds have it where a secret may stand.
let canary = "canary-secret-5f2c"

/// What libFuzzer calls with each input: ARGYLE_FUZZ_TARGET names what is to be done with it.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  target([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

private let target: @Sendable ([UInt8]) -> Void = {
  switch getenv("ARGYLE_FUZZ_TARGET").map({ String(cString: $0) }) {
  case "answer": fuzzAnswer
  case "claims": fuzzClaims
  case "metadata": fuzzMetadata
  case "next": fuzzNext
  case "options": fuzzOptions
  case "retry_after": fuzzRetryAfter
  default: fatalError("ARGYLE_FUZZ_TARGET names no target")
  }
}()

/// Ends the run, with the input kept, where something is not as it has to be.
func expect(
  _ condition: Bool,
  _ rule: @autoclosure () -> String,
  file: StaticString = #fileID,
  line: UInt = #line
) {
  if !condition { fatalError(rule(), file: file, line: line) }
}
