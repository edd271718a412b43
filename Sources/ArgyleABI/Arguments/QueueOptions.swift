import Argyle
import CJansson
import Support

/// The options of `argyle_queue_new`.
struct QueueOptions {
  private(set) var maxInFlight = 50

  /// Reads a JSON object; NULL leaves the defaults.
  init(_ object: UnsafePointer<json_t>?) throws(ArgyleError) {
    guard let object else { return }
    var maxInFlight = self.maxInFlight
    try ObjectMember.forEach(in: object, "options") { member throws(ArgyleError) in
      guard member.isNamed("max_in_flight") else {
        throw ArgyleError(.argument, "options has an unknown key \"\(member.name.printable)\"")
      }
      maxInFlight = try member.integer()
    }
    guard (1...1000).contains(maxInFlight) else {
      throw ArgyleError(.argument, "max_in_flight must be between 1 and 1000")
    }
    self.maxInFlight = maxInFlight
  }

  /// Reads a JSON object that is given as text; NULL leaves the defaults.
  init(text: UnsafeRawBufferPointer?) throws(ArgyleError) {
    guard let text else {
      try self.init(nil)
      return
    }
    let object = try Arguments.json(Array(text), "options")
    self = try object.withValue { (object) throws(ArgyleError) in try QueueOptions(object) }
  }
}
