//! GitHub, as far as a ticket's comments go: each request is one step, and a list is read page by
//! page while others write.

use std::collections::BTreeMap;

use crate::library::{Id, LogId, Text};

/// The comments of a ticket, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    comments: Vec<(Id, Text)>,
    created: Id,
}

impl Store {
    pub(crate) fn comments(&self) -> &[(Id, Text)] {
        &self.comments
    }

    pub(crate) fn get(&self, id: Id) -> Option<Text> {
        self.comments.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
    }

    /// Creates a comment.
    pub(crate) fn create(&mut self, text: Text) -> Id {
        self.created += 1;
        self.comments.push((self.created, text));
        self.created
    }

    /// Edits a comment; says whether it is there.
    pub(crate) fn edit(&mut self, id: Id, text: Text) -> bool {
        let Some(comment) = self.comments.iter_mut().find(|(known, _)| *known == id) else { return false };
        comment.1 = text;
        true
    }

    /// Deletes a comment, if it is there.
    pub(crate) fn delete(&mut self, id: Id) {
        self.comments.retain(|(known, _)| *known != id);
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
