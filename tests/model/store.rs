//! The comments of a ticket on GitHub: each request is one step, and a job reads a list page by page while others write.

use std::collections::BTreeMap;

use crate::library::{Id, LogId, Text};

/// The comments of a ticket, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    comments: Vec<(Id, Text)>,
    last_id: Id,
    /// All writes in the order of their commits, if lists may lag. A deletion has no text.
    history: Option<Vec<(Id, Option<Text>)>>,
}

impl Store {
    /// A ticket with lists that may lag: the store remembers all earlier states.
    pub(crate) fn with_history() -> Self {
        Self { history: Some(Vec::new()), ..Self::default() }
    }

    /// The number of commits.
    pub(crate) fn length(&self) -> usize {
        self.history.as_ref().map_or(0, Vec::len)
    }

    /// The comments after so many commits, each with the number of the commit that wrote it.
    pub(crate) fn as_of(&self, length: usize) -> BTreeMap<Id, (Text, usize)> {
        let commits = self.history.iter().flatten().take(length).zip(1..);
        let mut comments = BTreeMap::new();
        for ((id, text), number) in commits {
            match text {
                Some(text) => comments.insert(*id, (*text, number)),
                None => comments.remove(id),
            };
        }
        comments
    }

    fn commit(&mut self, id: Id, text: Option<Text>) {
        self.history.iter_mut().for_each(|history| history.push((id, text)));
    }

    pub(crate) fn comments(&self) -> &[(Id, Text)] {
        &self.comments
    }

    pub(crate) fn get(&self, id: Id) -> Option<Text> {
        self.comments.iter().find(|(other, _)| *other == id).map(|(_, text)| *text)
    }

    /// Creates a comment.
    pub(crate) fn create(&mut self, text: Text) -> Id {
        let id = self.reserve_id();
        self.create_as(id, text);
        id
    }

    /// The id of a new comment, which is committed later.
    pub(crate) fn reserve_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// Commits a comment with a reserved id.
    pub(crate) fn create_as(&mut self, id: Id, text: Text) {
        self.comments.push((id, text));
        self.commit(id, Some(text));
    }

    /// Edits a comment; returns whether it exists.
    pub(crate) fn edit(&mut self, id: Id, text: Text) -> bool {
        let Some(comment) = self.comments.iter_mut().find(|(other, _)| *other == id) else { return false };
        comment.1 = text;
        self.commit(id, Some(text));
        true
    }

    /// Deletes a comment, if it exists.
    pub(crate) fn delete(&mut self, id: Id) {
        if self.get(id).is_some() {
            self.comments.retain(|(other, _)| *other != id);
            self.commit(id, None);
        }
    }
}

/// How far lists of comments lag behind the commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lag {
    /// Every list shows all.
    Fresh,
    /// A list shows any earlier state of the ticket.
    Prefix {
        /// The list of a job shows at least what that job has written.
        own_writes: bool,
    },
    /// A list shows any earlier state of the ticket, and on top of it what the job itself has written.
    Overlay,
}

/// The state of a client that reads lists that lag, as in `ledger.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Cursor {
    /// The second of the newest change that a list has shown.
    newest: Option<usize>,
    /// Its own writes that no list has shown yet, each with its second.
    pending_writes: BTreeMap<Id, (Text, usize)>,
    /// The number of commits after its own last one.
    floor: usize,
}

/// The time from which a client lists changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many seconds before the newest change that a list has shown.
    NewestChange { margin: usize },
    /// The time of the last answer.
    Date,
}

/// The rule by which a listed comment is as new as the client's own write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsAsNew {
    /// The text is the same, or the comment was written later.
    ByText,
    /// The text is the same and not older, or the comment was written later.
    ByTextAndTime,
}

/// The clock and the lists of GitHub, and the rules by which clients read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) lag: Lag,
    /// So many commits share a second.
    pub(crate) commits_a_second: usize,
    pub(crate) since: Since,
    pub(crate) is_as_new: IsAsNew,
    /// The second page of a list begins after so many comments, and may come from another replica.
    pub(crate) second_page: Option<usize>,
}

impl Clock {
    pub(crate) fn second(self, commit: usize) -> usize {
        commit / self.commits_a_second
    }
}

impl Cursor {
    /// The lists that it may get: the commits that the first page shows, and the second one.
    pub(crate) fn lists(&self, store: &Store, clock: Clock, is_fresh: bool) -> Vec<(usize, usize)> {
        let end = store.length();
        let floor = if clock.lag == (Lag::Prefix { own_writes: true }) { self.floor } else { 0 };
        let lengths = if is_fresh { end..=end } else { floor..=end };
        let second = |first| if clock.second_page.is_some() { lengths.clone() } else { first..=first };
        lengths.clone().flat_map(|first| second(first).map(move |second| (first, second))).collect()
    }

    /// Reads a list of two pages, which show so many commits.
    pub(crate) fn read(
        &mut self,
        log: LogId,
        (first, second): (usize, usize),
        store: &Store,
        clock: Clock,
    ) -> LogId {
        let since = match clock.since {
            Since::NewestChange { margin } => self.newest.map(|newest| newest.saturating_sub(margin)),
            Since::Date => self.newest,
        };
        let first_pending = self.pending_writes.values().map(|(_, second)| *second).min();
        let since = since.map(|since| first_pending.map_or(since, |first| first.min(since)));
        let page = |length: usize| {
            let comments = store.as_of(length).into_iter();
            let comments = comments.map(|(id, (text, commit))| (id, text, clock.second(commit)));
            comments.filter(move |(_, _, second)| since.is_none_or(|since| *second >= since))
        };
        let size = clock.second_page.unwrap_or(usize::MAX);
        let comments: Vec<(Id, Text, usize)> =
            page(first).take(size).chain(page(second).skip(size)).collect();
        let newest = match clock.since {
            Since::NewestChange { .. } => comments.iter().map(|(_, _, second)| *second).max(),
            Since::Date => Some(clock.second(store.length())),
        };
        self.newest = self.newest.max(newest);
        self.pending_writes.retain(|id, (text, written_at)| {
            let is_as_new = |(other, new, second): &(Id, Text, usize)| {
                let is_old = clock.is_as_new == IsAsNew::ByTextAndTime && *second < *written_at;
                other == id && (new == text && !is_old || *second > *written_at)
            };
            !comments.iter().any(is_as_new)
        });
        if clock.lag == Lag::Overlay {
            self.pending_writes.clear();
        }
        comments.into_iter().fold(log, |log, (id, text, second)| log.with_comment_at(id, text, second))
    }

    /// Notes its own write, just after it.
    pub(crate) fn note_write(
        &mut self,
        log: LogId,
        id: Id,
        text: Text,
        store: &Store,
        clock: Clock,
    ) -> LogId {
        self.floor = store.length();
        let second = clock.second(self.floor);
        self.pending_writes.insert(id, (text, second));
        log.with_comment_at(id, text, second)
    }

    /// Its own write into the comment, if no list has shown that yet.
    pub(crate) fn pending_write(&self, id: Id) -> Option<(Text, usize)> {
        self.pending_writes.get(&id).copied()
    }

    /// Stops the wait for a list that shows its own write into the comment.
    pub(crate) fn forget(&mut self, id: Id) {
        self.pending_writes.remove(&id);
    }
}

/// The state of a client that reads page by page. It has `since` as a set of comments: those that changed at or after that
/// time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    pub(crate) log: LogId,
    /// Whether it has read the whole list once.
    has_read: bool,
    /// The comments that changed since its last list began.
    changes: u16,
    /// The comments that changed since its present list began.
    later_changes: u16,
    /// The pages of its present list that it has read.
    pages: BTreeMap<u8, Vec<(Id, Text)>>,
    /// The number of the last page of this list, by the pages read so far.
    last_page: u8,
}

/// The way in which clients read lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages {
    /// So many comments are on a page.
    pub(crate) size: usize,
    /// The lists whose pages, after the first one, a client reads at the same time.
    pub(crate) at_once: AtOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtOnce {
    /// Every list.
    Always,
    /// Lists of all comments; the pages of lists of changes are read in their order.
    WholeLists,
}

impl Reader {
    /// A client that has read nothing.
    pub(crate) fn new() -> Self {
        Self {
            log: LogId::empty(),
            has_read: false,
            changes: 0,
            later_changes: 0,
            pages: BTreeMap::new(),
            last_page: 1,
        }
    }

    /// The pages that it may read next: the first one shows how many there are.
    pub(crate) fn next_pages(&self, pages: Pages) -> Vec<u8> {
        let unread = (1..=self.last_page).filter(|page| !self.pages.contains_key(page));
        let at_once = pages.at_once == AtOnce::Always || !self.has_read;
        unread.take(if at_once { usize::MAX } else { 1 }).collect()
    }

    /// Reads a page of the list; returns whether the whole list is read.
    pub(crate) fn read_page(&mut self, page: u8, store: &Store, pages: Pages) -> bool {
        let is_in_list = |id: Id| !self.has_read || self.changes & bit(id) != 0;
        let comments: Vec<(Id, Text)> =
            store.comments.iter().filter(|(id, _)| is_in_list(*id)).copied().collect();
        let start = usize::from(page - 1) * pages.size;
        self.pages.insert(page, comments.iter().skip(start).take(pages.size).copied().collect());
        if page == 1 {
            self.last_page = u8::try_from(comments.len().div_ceil(pages.size).max(1)).expect("few pages");
        } else if page == self.last_page && comments.len() > start + pages.size {
            self.last_page += 1;
        }
        let is_read = self.pages.len() == usize::from(self.last_page);
        if is_read {
            let pages_read = std::mem::take(&mut self.pages);
            self.log =
                pages_read.values().flatten().fold(self.log, |log, (id, text)| log.with_comment(*id, *text));
            self.has_read = true;
            self.changes = std::mem::take(&mut self.later_changes);
            self.last_page = 1;
        }
        is_read
    }

    /// Notes that a comment was just created or edited.
    pub(crate) fn notice(&mut self, id: Id) {
        if self.has_read {
            self.changes |= bit(id);
        }
        if !self.pages.is_empty() {
            self.later_changes |= bit(id);
        }
    }
}

fn bit(id: Id) -> u16 {
    1_u16.checked_shl(id.into()).expect("a model creates fewer than sixteen comments")
}
