import Transport

/// When what happened in a call.
package struct CallTimes: Sendable {
  /// When it was handed over, in microseconds of ``MonotonicClock``.
  var submittedAt: Int64 = 0
  /// When its first attempt began, on the same clock; 0 where none did.
  var sentAt: Int64 = 0
  /// When it was over, on the same clock.
  var finishedAt: Int64 = 0

  /// How long it waited for its turn, in microseconds.
  package var waiting: Int64 { max((sentAt == 0 ? finishedAt : sentAt) - submittedAt, 0) }
  /// How long it took from when it was handed over until it was over, in microseconds.
  package var total: Int64 { max(finishedAt - submittedAt, 0) }

  /// The last attempt.
  var transfer = TransferTimes()

  /// When what happened in the last attempt, in microseconds from its beginning; 0 for what did not happen.
  package var nameResolved: Int64 { transfer.nameResolved }
  package var connected: Int64 { transfer.connected }
  package var secured: Int64 { transfer.secured }
  package var answerBegan: Int64 { transfer.answerBegan }
  package var ended: Int64 { transfer.ended }
}
