import Support
import Transport

/// A walk over all users, page after page, in memory that does not grow with their number ("List users").
///
/// While one page is read the next is already on its way. The service counts pages by offset: a user deleted during
/// the walk can make it pass over another, and a user created during it can make it give another twice, unless the
/// ordering is ``UserQuery/Ordering/oldestFirst``. Where a page is larger than ``ClientOptions/maxResponseBytes``, the
/// walk goes on with smaller ones. A cursor is used by one thread at a time.
public final class UserCursor {
  /// How many users are given between two looks at the page that is under way.
  private static let usersPerPoll = 16

  /// In what pieces the users are given.
  private enum Form {
    case users
    case pages
  }

  private let client: Client
  private var paging: UserPaging
  /// The form that the first call chose.
  private var form: Form?
  /// The users of the page at hand.
  private var users: JSONReference?
  private var index = 0
  /// The answer whose text was given last.
  private var textAnswer: Answer?
  /// The call for the next page, and the queue that makes it.
  private var lookAhead: (call: Call, queue: CallQueue)?

  /// Prepares a walk; an error names what is wrong with the query.
  package init(_ client: Client, _ query: UserQuery) throws(ArgyleError) {
    self.client = client
    paging = UserPaging(query)
    // Last, because Embedded Swift leaks an object whose initialiser throws before all of it is set.
    try query.validate()
    try client.runner.checkProcess()
  }

  deinit {
    if let lookAhead {
      lookAhead.queue.discard(lookAhead.call)
      client.runner.pool.release(lookAhead.queue)
    }
  }

  private func choose(_ form: Form) throws(ArgyleError) {
    try client.runner.checkProcess()
    guard self.form == nil || self.form == form else {
      throw ArgyleError(.argument, "cursor must give either users or pages, not both")
    }
    self.form = form
  }
}

// MARK: - Swift values

extension UserCursor {
  /// Gives the next user, or nil at the end; it blocks where the next page has to be fetched.
  ///
  /// A page that could not be fetched is asked for again by the next call.
  public func next() throws(ArgyleError) -> User? {
    try nextUserDocument().map { User($0) }
  }

  /// Gives the next page, or nil at the end; it blocks where the page is not there yet.
  ///
  /// A cursor gives either users or pages. A page that could not be fetched is asked for again by the next call.
  public func nextPage() throws(ArgyleError) -> UserPage? {
    try nextPageDocument().map { UserPage($0) }
  }
}

// MARK: - JSON

extension UserCursor {
  /// The next user as jansson holds it, or nil at the end.
  package func nextUserDocument() throws(ArgyleError) -> JSONReference? {
    try choose(.users)
    while true {
      if let user = users?.item(index) {
        index += 1
        // What has come of the next page is read now and then, or the server would have to stop sending it.
        if let lookAhead, index.isMultiple(of: UserCursor.usersPerPoll) {
          try? lookAhead.queue.drive()
          try client.runner.checkProcess()
        }
        return user
      }
      guard let page = try nextDocument() else { return nil }
      users = page.results
      index = 0
    }
  }

  /// The next page in its normal form, or nil at the end.
  package func nextPageDocument() throws(ArgyleError) -> JSONReference? {
    try choose(.pages)
    return try nextDocument()?.document
  }

  /// The text of the next page as it was received, or nil at the end.
  package func nextPageText() throws(ArgyleError) -> [UInt8]? {
    try choose(.pages)
    textAnswer = nil
    textAnswer = try fetch { (paging, answer) throws(ArgyleError) in
      try paging.take(textOf: answer)
      return answer
    }
    return textAnswer?.response.body
  }

  /// The error of a page whose text, which was given last, cannot be read.
  package func unreadable(_ reason: String) throws(ArgyleError) -> ArgyleError {
    guard let textAnswer else {
      throw ArgyleError(.argument, "cursor must have given the text of a page")
    }
    return textAnswer.protocolError(reason.printable)
  }

  private func nextDocument() throws(ArgyleError) -> UserPageDocument? {
    try fetch { (paging, answer) throws(ArgyleError) in
      let page = try UserPageDocument(answer)
      try paging.take(PageOutline(page), answer)
      return page
    }
  }
}

// MARK: - Fetching

extension UserCursor {
  /// Fetches the next page and reads it; nil at the end.
  ///
  /// A page that was asked for ahead and did not come, or cannot be read, is asked for again; one that is too large,
  /// with fewer users.
  private func fetch<Page>(
    _ read: (inout UserPaging, Answer) throws(ArgyleError) -> Page
  ) throws(ArgyleError) -> Page? {
    while true {
      if let answer = try takeLookAhead(), let page = try? read(&paging, answer) {
        try startLookAhead()
        return page
      }
      let query: String
      switch paging.nextStep {
      case .end: return nil
      case .failure(let error): throw error
      case .page(let text): query = text
      }
      let call = try Call(client, .listUsers(query: query))
      try client.runner.run(call)
      if let error = call.error, paging.reducePageSize(after: error) { continue }
      let page = try read(&paging, try call.answer())
      try startLookAhead()
      return page
    }
  }

  /// The answer that was asked for ahead; nil where none was, or where none came.
  private func takeLookAhead() throws(ArgyleError) -> Answer? {
    guard let (call, queue) = lookAhead else { return nil }
    lookAhead = nil
    defer { client.runner.pool.release(queue) }
    try client.runner.run(call, queue)
    if let error = call.error {
      let failure = LookAheadFailure(
        error: error,
        time: call.times.finishedAt,
        // Or else the queue has broken.
        wasCancelledByCaller: error.code == .cancelled && !queue.isBroken
      )
      try paging.take(failure, at: MonotonicClock.now)
    }
    return try? call.answer()
  }

  /// Asks for the page after the one at hand, without waiting for it.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked`` where the host has forked in a callback meanwhile.
  private func startLookAhead() throws(ArgyleError) {
    guard case .page(let query) = paging.nextStep,
      let call = try? Call(client, .listUsers(query: query)),
      let queue = try? client.runner.pool.acquire()
    else { return }
    do {
      try queue.submit(call)
      try queue.drive()
      lookAhead = (call, queue)
    } catch {
      // The page is asked for when it is needed.
    }
    try client.runner.checkProcess()
  }
}
