import Support

#if !hasFeature(Embedded)
  import Dispatch

  /// Runs calls for Swift concurrency: a call queue that Dispatch drives when its descriptor is readable.
  ///
  /// No thread blocks for a response. Everything except the entry point runs on one serial dispatch queue.
  final class AsyncCalls: @unchecked Sendable {
    // Unchecked: mutable state is accessed only on the dispatch queue.
    private static let maxInFlight = 100

    /// A call and the task that awaits it.
    private final class Ticket: @unchecked Sendable {
      // Unchecked, as above.
      var call: Call?
      var continuation: CheckedContinuation<Result<Answer, ArgyleError>, Never>?
      var isCancelled = false
    }

    private let dispatchQueue = DispatchQueue(label: "libargyle")
    private let mark: ProcessMark
    private var queue: CallQueue?
    private var source: (any DispatchSourceRead)?

    init(_ mark: ProcessMark) {
      self.mark = mark
    }

    deinit {
      // The queue and its descriptor must live until Dispatch has released them.
      source?.setCancelHandler { [queue] in _ = queue }
      source?.cancel()
    }

    /// Performs an operation; cancelling the task cancels the call.
    func perform(_ operation: Operation, _ client: Client) async throws(ArgyleError) -> Answer {
      let ticket = Ticket()
      let result = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          dispatchQueue.async {
            ticket.continuation = continuation
            self.start(ticket, operation, client)
          }
        }
      } onCancel: {
        dispatchQueue.async { self.cancel(ticket) }
      }
      return try result.get()
    }
  }

  // MARK: - On the dispatch queue

  extension AsyncCalls {
    private func start(_ ticket: Ticket, _ operation: Operation, _ client: Client) {
      do {
        let call = try Call(client, operation)
        let queue = try makeQueue()
        ticket.call = call
        call.context = Unmanaged.passRetained(ticket).toOpaque()
        try queue.submit(call)
        if ticket.isCancelled { queue.cancel(call) }
      } catch {
        if let context = ticket.call?.context { Unmanaged<Ticket>.fromOpaque(context).release() }
        ticket.continuation?.resume(returning: .failure(error))
        return
      }
      drive()
    }

    private func cancel(_ ticket: Ticket) {
      ticket.isCancelled = true
      guard let call = ticket.call, let queue, call.queue === queue else { return }
      queue.cancel(call)
      drive()
    }

    private func makeQueue() throws(ArgyleError) -> CallQueue {
      if let queue, !queue.isBroken { return queue }
      source?.cancel()
      let queue = try CallQueue.make(maxInFlight: AsyncCalls.maxInFlight, mark)
      let descriptor = try queue.shareDescriptor()
      let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: dispatchQueue)
      source.setEventHandler { [weak self] in self?.drive() }
      source.activate()
      self.queue = queue
      self.source = source
      return queue
    }

    private func drive() {
      guard let queue else { return }
      // If driving fails, the queue has failed its calls, whose errors say why.
      try? queue.drive()
      while let call = queue.next() {
        guard let context = call.context else { continue }
        let ticket = Unmanaged<Ticket>.fromOpaque(context).takeRetainedValue()
        ticket.call = nil
        ticket.continuation?.resume(returning: call.result)
      }
    }
  }
#endif
