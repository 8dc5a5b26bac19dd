//! The log: the comments of a ticket as they were read, and what may be done next about the board.
//!
//! A comment counts only if its first line is a marker *and* its author is trusted: a bot, or an
//! owner, member or collaborator of the hub. All others are people's, and are left alone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::board;
use super::fold::{Ticket, fold};
use super::marker::{Kind, Marker};
use super::record::{Dispatch, Notice, Record, Report, Writer};
use crate::names::CommentId;

/// A comment as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The account that wrote it; none if the account is gone.
    pub author: Option<String>,
    /// Whether the author may write records.
    pub trusted: bool,
    /// Its text.
    pub body: String,
    /// When it was created, by GitHub's clock.
    pub created_at: DateTime<Utc>,
    /// When it was last written, by GitHub's clock.
    pub updated_at: DateTime<Utc>,
    /// The comment in the browser.
    pub url: String,
}

/// What a comment is to this action.
#[derive(Debug, Clone)]
enum Content {
    Record(Box<Record>),
    Board(Seen),
    Foreign,
}

/// The comments of a ticket, as far as they were read.
#[derive(Debug, Clone, Default)]
pub struct Log {
    comments: BTreeMap<CommentId, (Comment, Content)>,
    gone: BTreeSet<CommentId>,
}

/// What must be done so that the board shows what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardStep {
    /// Nothing: the board shows all records that were read.
    Shown,
    /// The board was folded from records that were not read: they must be read first.
    ReadAgain(Vec<CommentId>),
    /// The board must be written: in place, or as a new comment.
    Write {
        /// The board's comment, if there is one.
        comment: Option<CommentId>,
        /// The whole new text.
        body: String,
    },
}

impl Log {
    /// Takes in comments; one that is known already is replaced, unless what is known is newer.
    ///
    /// Lists are read page by page while others write, so a later answer may hold the older text.
    pub fn extend(&mut self, comments: impl IntoIterator<Item = Comment>) {
        for comment in comments {
            let content = Content::of(&comment);
            let known = self.comments.get(&comment.id).map(|(_, known)| known);
            if !known.is_some_and(|known| known.is_newer_than(&content)) {
                self.comments.insert(comment.id, (comment, content));
            }
        }
    }

    /// Accepts that a comment is gone from GitHub, or is no record any more: a person deleted or
    /// overwrote it. No board is expected to show it.
    pub fn accept_gone(&mut self, id: CommentId) {
        self.comments.remove(&id);
        self.gone.insert(id);
    }

    /// Whether the comment is known as a record.
    #[must_use]
    pub fn has_record(&self, id: CommentId) -> bool {
        self.seq(id).is_some()
    }

    /// All records with the comments that hold them, oldest first.
    pub fn records(&self) -> impl Iterator<Item = (&Comment, &Record)> {
        self.comments.values().filter_map(|(comment, content)| match content {
            Content::Record(record) => Some((comment, record.as_ref())),
            _ => None,
        })
    }

    /// How many comments are known, those of people included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.comments.len()
    }

    /// Whether no comment is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.comments.is_empty()
    }

    /// The comments that are this action's own: records and boards, oldest first.
    pub fn own(&self) -> impl Iterator<Item = &Comment> {
        self.comments
            .values()
            .filter(|(_, content)| !matches!(content, Content::Foreign))
            .map(|(comment, _)| comment)
    }

    /// The claims of hub jobs, oldest first.
    pub fn dispatches(&self) -> impl Iterator<Item = (&Comment, &Dispatch)> {
        self.records().filter_map(|(comment, record)| match record {
            Record::Dispatch(dispatch) => Some((comment, dispatch)),
            _ => None,
        })
    }

    /// The records that target jobs wrote, oldest first.
    pub fn reports(&self) -> impl Iterator<Item = (&Comment, &Report)> {
        self.records().filter_map(|(comment, record)| match record {
            Record::Report(report) => Some((comment, report)),
            _ => None,
        })
    }

    /// The notices, oldest first.
    pub fn notices(&self) -> impl Iterator<Item = (&Comment, &Notice)> {
        self.records().filter_map(|(comment, record)| match record {
            Record::Notice(notice) => Some((comment, notice)),
            _ => None,
        })
    }

    /// The highest sequence number among the records of `writer`, 0 if there is none.
    #[must_use]
    pub fn last_seq(&self, writer: &Writer) -> u64 {
        self.records()
            .filter(|(_, record)| record.by() == writer)
            .map(|(_, record)| record.seq())
            .max()
            .unwrap_or(0)
    }

    /// How many records were written at or after `since`.
    #[must_use]
    pub fn written_since(&self, since: DateTime<Utc>) -> usize {
        self.records().filter(|(comment, _)| comment.updated_at >= since).count()
    }

    /// The state of the release.
    #[must_use]
    pub fn fold(&self) -> Ticket {
        fold(self.records().map(|(_, record)| record))
    }

    /// The board: of several the one with the lowest id.
    #[must_use]
    pub fn board(&self) -> Option<&Comment> {
        self.boards().next().map(|(comment, _)| comment)
    }

    /// Boards that another job created at the same time, and that are in the way.
    pub fn spare_boards(&self) -> impl Iterator<Item = CommentId> {
        self.boards().skip(1).map(|(comment, _)| comment.id)
    }

    /// Decides what the board needs.
    #[must_use]
    pub fn next_board_step(&self) -> BoardStep {
        let seen = Seen::of(self.records().map(|(comment, record)| (comment.id, record.seq())));
        let Some((comment, shown)) = self.boards().next() else {
            return BoardStep::Write { comment: None, body: board::render(&self.fold(), &seen) };
        };
        if *shown == seen {
            return BoardStep::Shown;
        }
        let mut unread = shown.beyond(self);
        unread.retain(|id| !self.gone.contains(id));
        if !unread.is_empty() {
            return BoardStep::ReadAgain(unread);
        }
        BoardStep::Write { comment: Some(comment.id), body: board::render(&self.fold(), &seen) }
    }

    /// The boards, oldest first. Only who writes records writes boards: what a person copied into a
    /// comment of their own is theirs to keep.
    fn boards(&self) -> impl Iterator<Item = (&Comment, &Seen)> {
        // The first comment with a job's record is the original, later ones may be copies.
        let mut authors: BTreeMap<&Writer, Option<&str>> = BTreeMap::new();
        for (comment, record) in self.records() {
            authors.entry(record.by()).or_insert(comment.author.as_deref());
        }
        let writers: BTreeSet<Option<&str>> = authors.into_values().collect();
        let counts = move |comment: &Comment| {
            let author = comment.author.as_deref();
            author.is_some_and(|author| author.ends_with("[bot]")) || writers.contains(&author)
        };
        self.comments.values().filter_map(move |(comment, content)| match content {
            Content::Board(seen) if counts(comment) => Some((comment, seen)),
            _ => None,
        })
    }

    fn seq(&self, id: CommentId) -> Option<u64> {
        match self.comments.get(&id) {
            Some((_, Content::Record(record))) => Some(record.seq()),
            _ => None,
        }
    }
}

impl Content {
    fn of(comment: &Comment) -> Self {
        let marker = match Marker::find(&comment.body) {
            None => return Self::Foreign,
            Some(_) if !comment.trusted => {
                let author = comment.author.as_deref().unwrap_or("nobody");
                tracing::debug!("comment {} is ignored: {author} may not write records", comment.id);
                return Self::Foreign;
            }
            Some(marker) => marker,
        };
        let content = marker.and_then(|marker| match Record::parse(&marker)? {
            Some(record) => Ok(Self::Record(Box::new(record))),
            None if marker.kind == Kind::Board => Ok(Self::Board(marker.data::<BoardData>()?.seen)),
            None => Ok(Self::Foreign),
        });
        content.unwrap_or_else(|error| {
            tracing::debug!("comment {} is ignored: {error}", comment.id);
            Self::Foreign
        })
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Record(known), Self::Record(read)) => known.seq() > read.seq(),
            _ => false,
        }
    }
}

/// The data in the marker of a board.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BoardData {
    pub(super) seen: Seen,
}

/// A version vector: the sequence number of each record that a board was folded from.
///
/// So that it fits a comment, only the newest records are listed; of the older ones it says how
/// many there are and how often they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    #[serde(default, skip_serializing_if = "Older::is_none")]
    older: Older,
    records: BTreeMap<CommentId, u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Older {
    records: u64,
    writes: u64,
}

impl Older {
    fn is_none(&self) -> bool {
        self.records == 0
    }
}

impl Seen {
    /// How many records are listed one by one.
    const LISTED: usize = 1_000;

    fn of(records: impl Iterator<Item = (CommentId, u64)>) -> Self {
        let mut records: BTreeMap<CommentId, u64> = records.collect();
        let mut older = Older::default();
        while records.len() > Self::LISTED {
            let (_, seq) = records.pop_first().expect("it has more than none");
            older.records += 1;
            older.writes += seq;
        }
        Self { older, records }
    }

    /// The records that this board shows and that `log` does not have, or has only older.
    fn beyond(&self, log: &Log) -> Vec<CommentId> {
        let unread = self.records.iter().filter(|(id, seq)| log.seq(**id).is_none_or(|known| known < **seq));
        unread.map(|(id, _)| *id).collect()
    }

    /// How many records were seen.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.older.records).unwrap_or(usize::MAX).saturating_add(self.records.len())
    }

    /// Whether no record was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
