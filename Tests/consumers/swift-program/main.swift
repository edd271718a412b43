// An ordinary Swift program that links libargyle.a: two Swift runtimes in one process, which must not interfere.
import CArgyle
import Foundation

class Animal {
  let name: String
  init(name: String) { self.name = name }
  func sound() -> String { "" }
}

final class Dog: Animal {
  override func sound() -> String { "\(name) barks" }
}

struct Box<Value: Hashable>: Hashable {
  var value: Value
}

/// Exercises the program's own runtime: classes, generics, casts, text, hashing.
func exerciseRuntime() {
  let animals = (0..<100).map { number -> Any in
    if number.isMultiple(of: 2) { Dog(name: "\(number)") } else { Box(value: number) }
  }
  let dogs = animals.compactMap { ($0 as? Animal)?.sound() }
  let boxes = Set(animals.compactMap { $0 as? Box<Int> })
  precondition(dogs.count == 50 && boxes.count == 50)
  precondition("e\u{301}" == "\u{e9}")
  precondition(String(data: Data("Grüße".utf8), encoding: .utf8)?.uppercased() == "GRÜSSE")
}

func environment(_ name: String) -> String {
  guard let value = ProcessInfo.processInfo.environment[name] else {
    fatalError("\(name) is not set")
  }
  return value
}

func check(_ condition: Bool, _ error: OpaquePointer?) {
  if !condition { fatalError(String(cString: argyle_error_message(error))) }
}

exerciseRuntime()

let options = json_object()
for (key, variable) in [
  ("key_id", "ARGYLE_KEY_ID"), ("key_secret", "ARGYLE_KEY_SECRET"), ("base_url", "ARGYLE_BASE_URL"),
] {
  json_object_set_new(options, key, json_string(environment(variable)))
}
var error: OpaquePointer?
let client = argyle_client_new(options, &error)
check(client != nil, error)

let user = argyle_user_create(client, nil, &error)
check(user != nil, error)
let id = json_string_value(json_object_get(user, "id"))
for _ in 0..<20 {
  exerciseRuntime()
  let same = argyle_user_get(client, id, &error)
  check(json_equal(json_object_get(same, "id"), json_object_get(user, "id")) == 1, error)
}
check(argyle_user_delete(client, id, &error) == 0, error)

check(argyle_user_get(client, id, &error) == nil, error)
precondition(argyle_error_code(error) == Int32(ARGYLE_ERROR_NOT_FOUND))
argyle_error_free(error)
argyle_client_free(client)
print("libargyle \(String(cString: argyle_version())) in a Swift program")
