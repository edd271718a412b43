#if !hasFeature(Embedded)
  extension Client {
    /// Carries out an operation without blocking, and gives its answer.
    func perform(_ operation: Operation) async throws(ArgyleError) -> Answer {
      try runner.checkProcess()
      return try await runner.pool.asyncCalls.perform(operation, self)
    }
  }
#endif
