import Support
import Transport

/// A cursor over all users that fetches page after page, in constant memory ("List users").
///
/// The next page is fetched while the current one is read. Version 1 of the API counts pages by offset: a user deleted
/// meanwhile can make the cursor skip another, and a user created meanwhile can make it return another twice, unless
/// the ordering is ``UserQuery/Ordering/oldestFirst``. In version 2 they shift nothing. If a page exceeds
/// ``ClientOptions/maxResponseBytes``, the cursor continues with smaller pages. Only one thread at a time may use a
/// cursor.
public final class UserCursor {
  /// Number of users returned between two reads of the next page.
  private static let usersPerPoll = 16

  /// What the cursor returns.
  private enum Form {
    case users
    case pages
    /// Calls that the caller runs.
    case calls
  }

  private let client: Client
  private var paging: UserPaging
  /// The form chosen by the first call.
  private var form: Form?
  /// The users of the current page.
  private var users: JSONReference?
  private var index = 0
  /// The response whose text was returned last.
  private var textAnswer: Answer?
  /// The call for the next page and its queue.
  private var lookAhead: (call: Call, queue: CallQueue)?

  /// Creates a cursor; throws if the query is invalid.
  package init(_ client: Client, _ query: UserQuery) throws(ArgyleError) {
    self.client = client
    paging = UserPaging(query, client.apiVersion)
    // Last: Embedded Swift leaks an object whose initialiser throws before all of it is set.
    try query.validate(client.apiVersion)
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
      throw ArgyleError(.argument, "cursor must return users, pages or calls, and only one of them")
    }
    self.form = form
  }
}

// MARK: - Swift values

extension UserCursor {
  /// Returns the next user, or nil at the end; blocks if the next page must be fetched.
  ///
  /// After a failure, the next call requests the page again.
  public func next() throws(ArgyleError) -> User? {
    try nextUserDocument().map { User($0) }
  }

  /// Returns the next page, or nil at the end; blocks until the page is received.
  ///
  /// A cursor returns either users or pages. After a failure, the next call requests the page again.
  public func nextPage() throws(ArgyleError) -> UserPage? {
    try nextPageDocument().map { UserPage($0) }
  }
}

// MARK: - JSON

extension UserCursor {
  /// Returns the next user as a jansson value, or nil at the end.
  package func nextUserDocument() throws(ArgyleError) -> JSONReference? {
    try choose(.users)
    while true {
      if let user = users?.item(index) {
        index += 1
        // The next page's pending bytes are read now and then, or the server would have to stop sending.
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

  /// Returns the next page in its normal form, or nil at the end.
  package func nextPageDocument() throws(ArgyleError) -> JSONReference? {
    try choose(.pages)
    return try nextDocument()?.document
  }

  /// Returns the text of the next page as received, or nil at the end.
  package func nextPageText() throws(ArgyleError) -> [UInt8]? {
    try choose(.pages)
    textAnswer = nil
    textAnswer = try fetch { (paging, answer) throws(ArgyleError) in
      try paging.add(textOf: answer)
      return answer
    }
    return textAnswer?.response.body
  }

  /// Returns the error for a page that the caller cannot read, given the text returned last.
  package func unreadable(_ reason: String) throws(ArgyleError) -> ArgyleError {
    guard let textAnswer else {
      throw ArgyleError(.argument, "cursor must have returned the text of a page")
    }
    return textAnswer.protocolError(reason.printable)
  }

  private func nextDocument() throws(ArgyleError) -> UserPageDocument? {
    try fetch { (paging, answer) throws(ArgyleError) in
      let page = try UserPageDocument(answer)
      try paging.add(PageOutline(page), answer)
      return page
    }
  }
}

// MARK: - Calls

extension UserCursor {
  /// Creates a call for the next page, or returns nil at the end; the caller runs it and adds its page.
  ///
  /// It creates the same call again until a page is added.
  package func nextCall(_ client: Client) throws(ArgyleError) -> Call? {
    try choose(.calls)
    guard client.apiVersion == self.client.apiVersion else {
      throw ArgyleError(
        .argument,
        "client must use the cursor's api_version, \(self.client.apiVersion.rawValue)"
      )
    }
    switch paging.nextStep {
    case .end: return nil
    case .failure(let error): throw error
    case .page(let query): return try Call(client, .listUsers(query: query))
    }
  }

  /// Adds the page of a finished call; returns false if it was too large and a smaller one is to be requested.
  package func addPage(_ call: Call) throws(ArgyleError) -> Bool {
    guard case .page(let query) = paging.nextStep, call.kind == .listUsers,
      call.requestContext.version == client.apiVersion,
      call.request.query.utf8.elementsEqual(query.utf8)
    else {
      throw ArgyleError(.argument, "call must be for the next page of the cursor")
    }
    if let error = call.error, paging.reducePageSize(after: error) { return false }
    let answer = try call.answer()
    try choose(.calls)
    try paging.add(textOf: answer, strictly: true)
    return true
  }
}

// MARK: - Fetching

extension UserCursor {
  /// Fetches the next page and reads it; returns nil at the end.
  ///
  /// If the look-ahead failed or its page cannot be read, the page is requested again; if the page is too large, with a
  /// smaller page size.
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

  /// Returns the look-ahead's response; nil if there is none.
  private func takeLookAhead() throws(ArgyleError) -> Answer? {
    guard let (call, queue) = lookAhead else { return nil }
    lookAhead = nil
    defer { client.runner.pool.release(queue) }
    try client.runner.run(call, queue)
    if let error = call.error {
      let failure = LookAheadFailure(
        error: error,
        time: call.times.finishedAt,
        // Otherwise the queue has broken.
        wasCancelledByCaller: error.code == .cancelled && !queue.isBroken
      )
      try paging.handle(failure, at: MonotonicClock.now)
    }
    return try? call.answer()
  }

  /// Requests the next page without waiting for it.
  ///
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/forked`` if the host forked in a callback meanwhile.
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
      // The page is then requested when it is needed.
    }
    try client.runner.checkProcess()
  }
}

// MARK: - Description

extension UserCursor: CustomStringConvertible {
  /// Only the type's name.
  public var description: String { "UserCursor" }
}

#if !hasFeature(Embedded)
  extension UserCursor: CustomReflectable {
    /// Empty: the queries and the users of its pages are personal data.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
