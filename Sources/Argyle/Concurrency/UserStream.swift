import Support

#if !hasFeature(Embedded)
  /// All users as an asynchronous sequence, page after page, in memory that does not grow with their number.
  ///
  /// While one page is read the next is already on its way. What is promised of users who are created or deleted
  /// meanwhile is what ``UserCursor`` promises. A failure ends the sequence.
  public struct UserStream: AsyncSequence, Sendable {
    let client: Client
    let query: UserQuery

    /// Starts a walk.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(client, query)
    }

    /// A walk over the users.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let client: Client
      private let query: UserQuery
      private var paging: UserPaging
      private var users: [User] = []
      private var index = 0
      private var isOver = false
      private let lookAhead = LookAhead()

      init(_ client: Client, _ query: UserQuery) {
        self.client = client
        self.query = query
        paging = UserPaging(query)
      }

      /// Gives the next user, or nil at the end.
      public mutating func next() async throws(ArgyleError) -> User? {
        try await next(isolation: nil)
      }

      /// Gives the next user, or nil at the end.
      ///
      /// - Parameter actor: where the caller runs.
      /// - Returns: the user.
      /// - Throws: ``ArgyleError``, after which the sequence is at its end.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(ArgyleError) -> User? {
        if isOver { return nil }
        do {
          while index == users.count {
            guard try await fetch(isolation: actor) else {
              isOver = true
              return nil
            }
          }
        } catch {
          isOver = true
          throw error
        }
        index += 1
        return users[index - 1]
      }

      /// Fetches the next page; false where there is none.
      private mutating func fetch(
        isolation actor: isolated (any Actor)?
      ) async throws(ArgyleError) -> Bool {
        try query.validate()
        // A page that was asked for ahead and did not come, or cannot be read, is asked for again.
        switch await lookAhead.take(isolation: actor) {
        case .success(let answer): if (try? read(answer)) != nil { return true }
        case .failure(let failure): try paging.take(failure, at: MonotonicClock.now)
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
        try paging.take(PageOutline(page), answer)
        users = UserPage(page.document).results
        index = 0
        if case .page(let query) = paging.nextStep { lookAhead.start(query, client) }
      }
    }
  }

  /// The page after the one at hand, asked for before it is needed; given up with the walk.
  private final class LookAhead {
    /// The answer, or the error and when it came.
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

    /// The answer, or why there is none; nil where none was asked for.
    ///
    /// Where the caller's task is cancelled, that ends the call too.
    func take(isolation actor: isolated (any Actor)?) async -> Result<Answer, LookAheadFailure>? {
      guard let task else { return nil }
      self.task = nil
      let (result, time) = await withTaskCancellationHandler {
        await task.value
      } onCancel: {
        task.cancel()
      }
      return result.mapError { error in
        // Cancelled by nobody, the queue has broken.
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
