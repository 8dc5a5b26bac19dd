//! GitHub, as far as a ticket's comments go: each request is one step, and a list is read page by
//! page while others write.

use std::collections::BTreeMap;

use crate::library::{Id, LogId, Text};

/// The comments of a ticket, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    comments: Vec<(Id, Text)>,
    created: Id,
    /// All writes in the order of their commits, if lists may lag behind them. A deletion has no text.
    history: Option<Vec<(Id, Option<Text>)>>,
}

impl Store {
    /// A ticket whose lists may lag: the store remembers all earlier states.
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
        self.comments.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
    }

    /// Creates a comment.
    pub(crate) fn create(&mut self, text: Text) -> Id {
        let id = self.draw_id();
        self.create_as(id, text);
        id
    }

    /// Draws the id of a comment that is committed later.
    pub(crate) fn draw_id(&mut self) -> Id {
        self.created += 1;
        self.created
    }

    /// Commits a comment whose id was drawn before.
    pub(crate) fn create_as(&mut self, id: Id, text: Text) {
        self.comments.push((id, text));
        self.commit(id, Some(text));
    }

    /// Edits a comment; says whether it is there.
    pub(crate) fn edit(&mut self, id: Id, text: Text) -> bool {
        let Some(comment) = self.comments.iter_mut().find(|(known, _)| *known == id) else { return false };
        comment.1 = text;
        self.commit(id, Some(text));
        true
    }

    /// Deletes a comment, if it is there.
    pub(crate) fn delete(&mut self, id: Id) {
        if self.get(id).is_some() {
            self.comments.retain(|(known, _)| *known != id);
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

/// What one client has read of lists that lag, as in `ledger.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Cursor {
    /// The second of the newest change that a list has shown.
    newest: Option<usize>,
    /// What it has written and no list has shown yet, with the second.
    unlisted: BTreeMap<Id, (Text, usize)>,
    /// The number of commits after its own last one.
    floor: usize,
}

/// From when on a client lists what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many seconds before the newest change that a list has shown.
    NewestChange { margin: usize },
    /// The time of the last answer.
    Date,
}

/// When a list shows a comment as a client has written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsAsNew {
    /// It has the same text, or was written later.
    ByText,
    /// It has the same text and is not older, or was written later.
    ByTextAndTime,
}

/// How GitHub's clock and its lists work, and what clients make of them.
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

    /// Takes in a list whose two pages show so many commits.
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
        let unlisted = self.unlisted.values().map(|(_, second)| *second).min();
        let since = since.map(|since| unlisted.map_or(since, |unlisted| unlisted.min(since)));
        let page = |length: usize| {
            let comments = store.as_of(length).into_iter();
            let comments = comments.map(|(id, (text, commit))| (id, text, clock.second(commit)));
            comments.filter(move |(_, _, second)| since.is_none_or(|since| *second >= since))
        };
        let size = clock.second_page.unwrap_or(usize::MAX);
        let listed: Vec<(Id, Text, usize)> = page(first).take(size).chain(page(second).skip(size)).collect();
        let newest = match clock.since {
            Since::NewestChange { .. } => listed.iter().map(|(_, _, second)| *second).max(),
            Since::Date => Some(clock.second(store.length())),
        };
        self.newest = self.newest.max(newest);
        self.unlisted.retain(|id, (text, written_at)| {
            let is_as_new = |(listed, new, second): &(Id, Text, usize)| {
                let is_old = clock.is_as_new == IsAsNew::ByTextAndTime && *second < *written_at;
                listed == id && (new == text && !is_old || *second > *written_at)
            };
            !listed.iter().any(is_as_new)
        });
        if clock.lag == Lag::Overlay {
            self.unlisted.clear();
        }
        listed.into_iter().fold(log, |log, (id, text, second)| log.extended_at(id, text, second))
    }

    /// Keeps in mind what it has written just now.
    pub(crate) fn wrote(&mut self, log: LogId, id: Id, text: Text, store: &Store, clock: Clock) -> LogId {
        self.floor = store.length();
        let second = clock.second(self.floor);
        self.unlisted.insert(id, (text, second));
        log.extended_at(id, text, second)
    }

    /// What it has written into the comment, if no list has shown that yet.
    pub(crate) fn unlisted(&self, id: Id) -> Option<(Text, usize)> {
        self.unlisted.get(&id).copied()
    }

    /// Waits no longer until a list shows the comment.
    pub(crate) fn forget(&mut self, id: Id) {
        self.unlisted.remove(&id);
    }
}

/// What one client has read, and from when on it reads again: `since` as a set of comments, those
/// that changed at or after that time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    pub(crate) log: LogId,
    /// Whether it has read the whole list once.
    has_read: bool,
    /// What changed since its last list was begun.
    changed: u16,
    /// What changed since the list that it reads right now was begun.
    meanwhile: u16,
    /// The pages that it has read of this list.
    pages: BTreeMap<u8, Vec<(Id, Text)>>,
    /// The last page of this list, as far as it was told.
    last: u8,
}

/// How lists are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages {
    /// So many comments are on a page.
    pub(crate) size: usize,
    /// Which lists are read with all pages after the first at the same time.
    pub(crate) at_once: AtOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtOnce {
    /// Every list.
    Always,
    /// Lists of all comments; lists of what changed are read in their order.
    WholeLists,
}

impl Reader {
    /// A client that has read nothing.
    pub(crate) fn new() -> Self {
        Self {
            log: LogId::unread(),
            has_read: false,
            changed: 0,
            meanwhile: 0,
            pages: BTreeMap::new(),
            last: 1,
        }
    }

    /// The pages that it may read next: the first one tells how many there are.
    pub(crate) fn next_pages(&self, pages: Pages) -> Vec<u8> {
        let unread = (1..=self.last).filter(|page| !self.pages.contains_key(page));
        let at_once = pages.at_once == AtOnce::Always || !self.has_read;
        unread.take(if at_once { usize::MAX } else { 1 }).collect()
    }

    /// Reads a page of the list; says whether the whole list is read then.
    pub(crate) fn read_page(&mut self, page: u8, store: &Store, pages: Pages) -> bool {
        let wanted = |id: Id| !self.has_read || self.changed & bit(id) != 0;
        let listed: Vec<(Id, Text)> = store.comments.iter().filter(|(id, _)| wanted(*id)).copied().collect();
        let start = usize::from(page - 1) * pages.size;
        self.pages.insert(page, listed.iter().skip(start).take(pages.size).copied().collect());
        if page == 1 {
            self.last = u8::try_from(listed.len().div_ceil(pages.size).max(1)).expect("few pages");
        } else if page == self.last && listed.len() > start + pages.size {
            self.last += 1;
        }
        let is_read = self.pages.len() == usize::from(self.last);
        if is_read {
            let read = std::mem::take(&mut self.pages);
            self.log = read.values().flatten().fold(self.log, |log, (id, text)| log.extended(*id, *text));
            self.has_read = true;
            self.changed = std::mem::take(&mut self.meanwhile);
            self.last = 1;
        }
        is_read
    }

    /// Keeps in mind that a comment was created or edited just now.
    pub(crate) fn notice(&mut self, id: Id) {
        if self.has_read {
            self.changed |= bit(id);
        }
        if !self.pages.is_empty() {
            self.meanwhile |= bit(id);
        }
    }
}

fn bit(id: Id) -> u16 {
    1_u16.checked_shl(id.into()).expect("a model creates fewer than sixteen comments")
}
