#if !hasFeature(Embedded)
  extension Client {
    /// Performs an operation without blocking.
    func perform(_ operation: Operation) async throws(ArgyleError) -> Answer {
      try runner.checkProcess()
      return try await runner.pool.asyncCalls.perform(operation, self)
    }
  }
#endif
