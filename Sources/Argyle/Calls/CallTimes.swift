import Transport

/// Timings of a call.
package struct CallTimes: Sendable {
  /// When it was run or submitted, in microseconds of ``MonotonicClock``.
  var submittedAt: Int64 = 0
  /// When its first attempt started, on the same clock; 0 if none did.
  var sentAt: Int64 = 0
  /// When it finished, on the same clock.
  var finishedAt: Int64 = 0

  /// Time from submission to the first attempt, in microseconds.
  package var waiting: Int64 { max((sentAt == 0 ? finishedAt : sentAt) - submittedAt, 0) }
  /// Time from submission to completion, in microseconds.
  package var total: Int64 { max(finishedAt - submittedAt, 0) }

  /// The last attempt's timings.
  var transfer = TransferTimes()

  /// Timings of the last attempt, in microseconds from its start; 0 for what did not happen.
  package var nameResolved: Int64 { transfer.nameResolved }
  package var connected: Int64 { transfer.connected }
  package var secured: Int64 { transfer.secured }
  package var answerBegan: Int64 { transfer.answerBegan }
  package var ended: Int64 { transfer.ended }
}
