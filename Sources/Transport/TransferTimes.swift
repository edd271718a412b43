/// Timings of an attempt, in microseconds from its start; 0 for what did not happen.
package struct TransferTimes: Sendable {
  package var nameResolved: Int64 = 0
  package var connected: Int64 = 0
  package var secured: Int64 = 0
  package var answerBegan: Int64 = 0
  package var ended: Int64 = 0

  package init() {}
}
