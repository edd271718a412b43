import Support

#if !hasFeature(Embedded)
  /// All users as an asynchronous sequence that fetches page after page, in constant memory.
  ///
  /// The next page is fetched while the current one is read. For users created or deleted meanwhile, the same holds as
  /// for ``UserCursor``. A failure ends the sequence.
  public struct UserStream: AsyncSequence, Sendable {
    let client: Client
    let query: UserQuery

    /// Creates an iterator.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(client, query)
    }

    /// An iterator over the users.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let client: Client
      private let query: UserQuery
      private var paging: UserPaging
      private var users: [User] = []
      private var index = 0
      private var isFinished = false
      private let lookAhead = LookAhead()

      init(_ client: Client, _ query: UserQuery) {
        self.client = client
        self.query = query
        paging = UserPaging(query, client.apiVersion)
      }

      /// Returns the next user, or nil at the end.
      public mutating func next() async throws(ArgyleError) -> User? {
        try await next(isolation: nil)
      }

      /// Returns the next user, or nil at the end.
      ///
      /// - Parameter actor: the caller's isolation.
      /// - Returns: the user.
      /// - Throws: ``ArgyleError``; the sequence is then at its end.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(ArgyleError) -> User? {
        if isFinished { return nil }
        do {
          while index == users.count {
            guard try await fetch(isolation: actor) else {
              isFinished = true
              return nil
            }
          }
        } catch {
          isFinished = true
          throw error
        }
        index += 1
        return users[index - 1]
      }

      /// Fetches the next page; returns false if there is none.
      private mutating func fetch(
        isolation actor: isolated (any Actor)?
      ) async throws(ArgyleError) -> Bool {
        try query.validate(client.apiVersion)
        // If the look-ahead failed or its page cannot be read, the page is requested again.
        switch await lookAhead.take(isolation: actor) {
        case .success(let answer): if (try? read(answer)) != nil { return true }
        case .failure(let failure): try paging.handle(failure, at: MonotonicClock.now)
        case nil: break
        }
        while true {
          let text: String
          switch paging.nextStep {
          case .end: return false
          case .failure(let error): throw error
          case .page(let query): text = query
          }
          do throws(ArgyleError) {
            try read(await client.perform(.listUsers(query: text)))
            return true
          } catch {
            guard paging.reducePageSize(after: error) else { throw error }
          }
        }
      }

      private mutating func read(_ answer: Answer) throws(ArgyleError) {
        let page = try UserPageDocument(answer)
        try paging.add(PageOutline(page), answer)
        users = UserPage(page.document).results
        index = 0
        if case .page(let query) = paging.nextStep { lookAhead.start(query, client) }
      }
    }
  }

  /// The next page, requested before it is needed and cancelled with the iterator.
  private final class LookAhead {
    /// The response, or the error and when it occurred.
    private var task: Task<(result: Result<Answer, ArgyleError>, time: Int64), Never>?

    deinit {
      task?.cancel()
    }

    func start(_ query: String, _ client: Client) {
      task = Task {
        do throws(ArgyleError) {
          let answer = try await client.perform(.listUsers(query: query))
          return (.success(answer), MonotonicClock.now)
        } catch {
          return (.failure(error), MonotonicClock.now)
        }
      }
    }

    /// Returns the look-ahead's response or failure; nil if none was started.
    ///
    /// Cancelling the caller's task cancels the call too.
    func take(isolation actor: isolated (any Actor)?) async -> Result<Answer, LookAheadFailure>? {
      guard let task else { return nil }
      self.task = nil
      let (result, time) = await withTaskCancellationHandler {
        await task.value
      } onCancel: {
        task.cancel()
      }
      return result.mapError { error in
        // If the task is not cancelled, the queue has broken.
        let wasCancelledByCaller = error.code == .cancelled && Task.isCancelled
        return LookAheadFailure(
          error: error,
          time: time,
          wasCancelledByCaller: wasCancelledByCaller
        )
      }
    }
  }
#endif
