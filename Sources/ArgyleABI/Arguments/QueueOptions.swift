import Argyle
import CJansson
import Support

/// Options of `argyle_queue_new`.
struct QueueOptions {
  private(set) var maxInFlight = 50

  private static var table: OptionTable<QueueOptions> {
    OptionTable([
      Option("max_in_flight", .integer(1...1000, { $0.maxInFlight }, { $0.maxInFlight = $1 }))
    ])
  }

  /// Reads a JSON object; NULL means the defaults.
  init(_ object: UnsafePointer<json_t>?) throws(ArgyleError) {
    guard let object else { return }
    var options = self
    try ArgyleError.wrapping { () throws(OptionError) in
      try QueueOptions.table.read(object, "options", into: &options)
    }
    self = options
  }

  /// Reads JSON text; NULL means the defaults.
  init(text: UnsafeRawBufferPointer?) throws(ArgyleError) {
    guard let text else {
      try self.init(nil)
      return
    }
    let object = try Arguments.json(Array(text), "options")
    self = try object.withValue { (object) throws(ArgyleError) in try QueueOptions(object) }
  }
}
