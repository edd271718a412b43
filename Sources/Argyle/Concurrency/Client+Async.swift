#if !hasFeature(Embedded)
  extension Client {
    /// Carries out an operation without blocking, and gives its answer.
    func perform(_ operation: Operation) async throws(ArgyleError) -> Answer {
      try checkProcess()
      return try await pool.asyncCalls.perform(operation, self)
    }
  }
#endif
