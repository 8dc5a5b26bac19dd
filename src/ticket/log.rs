//! The log: the comments of a ticket as they were read, and what may be done next about the board.
//!
//! A comment counts only if its first line is a marker *and* its author is trusted: a bot, or an
//! owner, member or collaborator of the hub. All others are people's, and are left alone.
//!
//! A record that only a newer release can read is never taken for absent: the board's marker knows
//! it, and what it may hold is not started ([`Log::unreadable_hold`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::basis::Basis;
use super::board;
use super::decision::Decision;
use super::fold::{believed, fold_without};
use super::marker::{Kind, Marker, MarkerError};
use super::record::{Dispatch, Notice, Record, Report};
use super::release::Release;
use super::second::{SecondStart, second_starts};
use super::seen::{BoardData, Seen};
use super::state::Ticket;
use super::writer::Writer;
use crate::names::{CommentId, RepoName, TargetName, number};
use crate::problem::Problem;

/// A comment as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Comment {
    /// The problem of a record that this step has written to `hub` and that nobody will believe.
    #[must_use]
    pub fn not_believed(&self, hub: &RepoName) -> Problem {
        let author = self.author.as_deref().unwrap_or("an account that is gone");
        let what = format!("{} counts for nothing: {author} may not triage in {hub}", self.url);
        Problem::new(what).help(format!("give {author} the role triage in {hub}, or use a token of an App"))
    }
}

/// What a comment is to this action.
#[derive(Debug, Clone)]
enum Content {
    Record(Box<Record>),
    Unreadable(Unreadable),
    Board(BoardData),
    /// A board in a format of a newer release.
    NewerBoard,
    Foreign,
}

/// A record that this release cannot read.
#[derive(Debug, Clone)]
struct Unreadable {
    seq: u64,
    holds: Holds,
}

/// Which targets an unreadable record may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Nothing,
    These(Vec<TargetName>),
    Everything,
}

/// The comments of a ticket, as far as they were read.
#[derive(Debug, Clone, Default)]
pub struct Log {
    comments: BTreeMap<CommentId, (Comment, Content)>,
    /// The comments that hold records of hub jobs: few among many, and asked for often.
    dispatches: BTreeSet<CommentId>,
    /// The records of which no board is expected to know more than was read.
    gone: BTreeSet<CommentId>,
    folded: Folded,
    believed: Believed,
}

/// What follows from the comments, made when it is first asked for.
#[derive(Clone, Default)]
struct Folded(OnceLock<Box<Derived>>);

/// What decisions rest on, by the basis that was last asked for.
#[derive(Default)]
struct Believed(Mutex<Option<(Basis, Arc<Ticket>)>>);

impl Clone for Believed {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl fmt::Debug for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

#[derive(Clone)]
struct Derived {
    ticket: Ticket,
    /// The targets that records may hold which this release cannot read, with the authors of the records.
    holds: Vec<(CommentId, Option<String>, Holds)>,
}

impl fmt::Debug for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// What must be done so that the board shows what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardStep {
    /// Nothing: the board shows all records that were read.
    Shown,
    /// The board was folded from records that were not read: they must be read first.
    ReadAgain(Vec<CommentId>),
    /// A newer release wrote the board from records that this one cannot read: it stays as it is.
    Newer,
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
    /// Lists are read page by page while others write, and from replicas that lag, so a later answer may hold
    /// the older text.
    pub fn extend(&mut self, comments: impl IntoIterator<Item = Comment>) {
        for comment in comments {
            let content = Content::of(&comment);
            let known = self.comments.get(&comment.id);
            let age = |comment: &Comment, content: &Content| (content.seq(), comment.updated_at);
            if known.is_none_or(|(known, old)| age(known, old) <= age(&comment, &content)) {
                match &content {
                    Content::Record(record) if matches!(**record, Record::Dispatch(_)) => {
                        self.dispatches.insert(comment.id);
                    }
                    _ => {
                        self.dispatches.remove(&comment.id);
                    }
                }
                self.comments.insert(comment.id, (comment, content));
                self.forget_folds();
            }
        }
    }

    /// Accepts that a comment is gone from GitHub, or is no record any more: a person deleted or
    /// overwrote it. No board is expected to show it.
    pub fn accept_gone(&mut self, id: CommentId) {
        self.comments.remove(&id);
        self.dispatches.remove(&id);
        self.gone.insert(id);
        self.forget_folds();
    }

    /// Accepts that these records are no newer than they were read, whatever a board says.
    pub fn accept_as_read(&mut self, records: impl IntoIterator<Item = CommentId>) {
        self.gone.extend(records);
    }

    fn forget_folds(&mut self) {
        (self.folded, self.believed) = (Folded::default(), Believed::default());
    }

    /// Whether the comment is known as a record, readable or not.
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

    /// The id of the newest comment.
    #[must_use]
    pub fn last_id(&self) -> Option<CommentId> {
        self.comments.keys().next_back().copied()
    }

    /// How many comments are known, those of people included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.comments.len()
    }

    /// Whether there is anything that a board could show.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.records().next().is_some()
    }

    /// Whether no comment is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.comments.is_empty()
    }

    /// The claims of hub jobs, oldest first.
    pub fn dispatches(&self) -> impl Iterator<Item = (&Comment, &Dispatch)> {
        self.dispatches.iter().filter_map(|id| match self.comments.get(id)? {
            (comment, Content::Record(record)) => match record.as_ref() {
                Record::Dispatch(dispatch) => Some((comment, dispatch)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Who wrote the first record that decides something: a claim, a decision, or one that may be either and that this release cannot read.
    #[must_use]
    pub fn first_claimant(&self) -> Option<&str> {
        let claims = self.dispatches().map(|(comment, _)| comment);
        let decisions = self.decisions().map(|(comment, _)| comment);
        let unreadable = self.unreadable().map(|(comment, _)| comment);
        let first = claims.chain(decisions).chain(unreadable).min_by_key(|comment| comment.id);
        first.and_then(|comment| comment.author.as_deref())
    }

    /// Whether the hub closes the ticket when everything is released, by the newest claim of the account that claimed
    /// first: other accounts decide nothing.
    #[must_use]
    pub fn closes_when_done(&self) -> bool {
        let first = self.first_claimant();
        let own = self.dispatches().filter(|(comment, _)| comment.author.as_deref() == first);
        let newest = own.max_by_key(|(_, claim)| (claim.by.run, claim.by.attempt, claim.seq));
        newest.is_some_and(|(_, claim)| claim.close)
    }

    /// The records that target jobs wrote, oldest first.
    pub fn reports(&self) -> impl Iterator<Item = (&Comment, &Report)> {
        self.records().filter_map(|(comment, record)| match record {
            Record::Report(report) => Some((comment, report)),
            _ => None,
        })
    }

    /// The decisions of people as hub jobs recorded them, oldest first.
    pub fn decisions(&self) -> impl Iterator<Item = (&Comment, &Decision)> {
        self.records().filter_map(|(comment, record)| match record {
            Record::Decision(decision) => Some((comment, decision)),
            _ => None,
        })
    }

    /// The records of the whole release that an account of `basis` wrote, oldest first.
    pub fn releases<'l>(&'l self, basis: &'l Basis) -> impl Iterator<Item = (&'l Comment, &'l Release)> {
        self.records().filter_map(|(comment, record)| match record {
            Record::Release(release) if basis.is_own(comment.author.as_deref()) => {
                Some((comment, &**release))
            }
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

    /// The highest sequence number among the records of `writer`, 0 if there is none; low enough for more to
    /// follow, whatever others have written in that name.
    #[must_use]
    pub fn last_seq(&self, writer: &Writer) -> u64 {
        self.records()
            .filter(|(_, record)| record.by() == writer)
            .map(|(_, record)| record.seq())
            .max()
            .map_or(0, |seq| seq.min(number::MAX / 2))
    }

    /// How many records were written at or after `since`.
    #[must_use]
    pub fn written_since(&self, since: DateTime<Utc>) -> usize {
        self.records().filter(|(comment, _)| comment.updated_at >= since).count()
    }

    /// The state of the release. It is folded once for each change of the log.
    #[must_use]
    pub fn ticket(&self) -> &Ticket {
        &self.derived().ticket
    }

    fn derived(&self) -> &Derived {
        self.folded.0.get_or_init(|| {
            let unreadable = self.unread().collect();
            let first = self.first_claimant();
            // Everybody who may write records could write that others have decided something.
            let counts = |(comment, record): &(&Comment, &Record)| {
                !matches!(record, Record::Decision(_)) || comment.author.as_deref() == first
            };
            let records = self.records().filter(counts).map(|(_, record)| record);
            let ticket = Ticket { unreadable, ..fold_without(records, self.second_starts()) };
            let holds = self
                .unreadable()
                .map(|(comment, record)| (comment.id, comment.author.clone(), record.holds.clone()));
            let newer = self.decisions().filter(|(_, decision)| decision.has_newer_words());
            let newer = newer.map(|(comment, decision)| {
                let names = Some(decision.names.clone()).filter(|names| !names.is_empty());
                (comment.id, comment.author.clone(), names.map_or(Holds::Everything, Holds::These))
            });
            Box::new(Derived { ticket, holds: holds.chain(newer).collect() })
        })
    }

    /// The state of the release as far as decisions may rest on it.
    #[must_use]
    pub fn believed(&self, basis: &Basis) -> Arc<Ticket> {
        let mut known = self.believed.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, ticket)) if of == basis => Arc::clone(ticket),
            _ => {
                let own = self.dispatches().filter(|(comment, _)| basis.is_own(comment.author.as_deref()));
                let own: Vec<(&Comment, &Dispatch)> = own.collect();
                let second = second_starts(
                    own.iter().map(|(comment, claim)| (comment.id, comment.author.as_deref(), *claim)),
                );
                let reports = self.reports().map(|(_, report)| report);
                let notices = self.notices().map(|(_, notice)| notice);
                let claims = own.into_iter().map(|(_, claim)| claim);
                let decisions = self.decisions();
                let decisions = decisions.filter(|(comment, _)| basis.is_own(comment.author.as_deref()));
                let decisions = decisions.map(|(_, decision)| decision);
                let ticket = believed(claims, reports, notices, decisions, second, basis);
                let unreadable = self.ticket().unreadable.clone();
                let ticket = Arc::new(Ticket { unreadable, ..ticket });
                *known = Some((basis.clone(), Arc::clone(&ticket)));
                ticket
            }
        }
    }

    fn second_starts(&self) -> Vec<SecondStart> {
        let claims = self.dispatches();
        second_starts(claims.map(|(comment, dispatch)| (comment.id, comment.author.as_deref(), dispatch)))
    }

    /// The comments that a newer release wrote, as far as this one cannot read them.
    fn unread(&self) -> impl Iterator<Item = CommentId> {
        let newer = self.records().filter(|(_, record)| record.has_newer_words());
        let mut unread: Vec<CommentId> = newer.map(|(comment, _)| comment.id).collect();
        unread.extend(self.unreadable().map(|(comment, _)| comment.id));
        unread.sort();
        unread.into_iter()
    }

    /// The records that this release cannot read, oldest first.
    fn unreadable(&self) -> impl Iterator<Item = (&Comment, &Unreadable)> {
        let is_writer = self.is_writer();
        self.comments.values().filter_map(move |(comment, content)| match content {
            Content::Unreadable(record) if is_writer(comment) => Some((comment, record)),
            _ => None,
        })
    }

    /// A record by an account of `basis` that this release cannot read and that may hold `target`.
    ///
    /// Reports and notices never hold a target. Any other record holds those that it names in
    /// `targets`, as texts or as objects with a `target`; one that names none may hold all of them.
    #[must_use]
    pub fn unreadable_hold(&self, target: &TargetName, basis: &Basis) -> Option<CommentId> {
        let may_hold = |holds: &Holds| match holds {
            Holds::Nothing => false,
            Holds::These(names) => names.contains(target),
            Holds::Everything => true,
        };
        let mut own = self.derived().holds.iter().filter(|(_, author, _)| basis.is_own(author.as_deref()));
        own.find(|(_, _, holds)| may_hold(holds)).map(|(comment, _, _)| *comment)
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
        let data = self.board_data();
        let is_newer = |(comment, content): &(Comment, Content)| {
            matches!(content, Content::NewerBoard) && self.is_writer()(comment)
        };
        if self.comments.values().any(is_newer) {
            return BoardStep::Newer;
        }
        let Some((comment, board)) = self.boards().next() else {
            let body = board::render(self.ticket(), &data, &BTreeMap::new());
            return BoardStep::Write { comment: None, body };
        };
        // Its writer may have been able to read more of the same records.
        if board.seen == data.seen && board.unread.iter().all(|id| data.unread.contains(id)) {
            return BoardStep::Shown;
        }
        let mut unread = board.seen.beyond(|id| self.seq(id));
        unread.retain(|id| !self.gone.contains(id));
        if !unread.is_empty() {
            return BoardStep::ReadAgain(unread);
        }
        let shows_more = |id: &CommentId| board.seen.lists(*id) && !board.unread.contains(id);
        let rows = board::Kept::of(&comment.body);
        let row = |name: &TargetName| rows.row(name).cloned();
        let held = self.ticket().held_by_newer_words();
        let replaceable = |id: CommentId| match &self.comments[&id].1 {
            Content::Record(_) => held.iter().all(|name| row(name).is_some()),
            _ => false,
        };
        if data.unread.iter().filter(|id| shows_more(id)).any(|id| !replaceable(*id)) {
            return BoardStep::Newer;
        }
        let kept = held.into_iter().filter_map(|name| Some((name.clone(), row(name)?)));
        BoardStep::Write {
            comment: Some(comment.id),
            body: board::render(self.ticket(), &data, &kept.collect()),
        }
    }

    /// What a board of this log is made from.
    fn board_data(&self) -> BoardData {
        let readable = self.records().map(|(comment, record)| (comment.id, record.seq()));
        let seen =
            Seen::of(readable.chain(self.unreadable().map(|(comment, record)| (comment.id, record.seq))));
        let unread = self.unread().filter(|id| seen.lists(*id)).collect();
        BoardData { seen, unread }
    }

    /// The boards, oldest first.
    fn boards(&self) -> impl Iterator<Item = (&Comment, &BoardData)> {
        let is_writer = self.is_writer();
        self.comments.values().filter_map(move |(comment, content)| match content {
            Content::Board(data) if is_writer(comment) => Some((comment, data)),
            _ => None,
        })
    }

    /// Whether the author of a comment writes records: a bot, or an account that the action runs under.
    /// What a person copied into a comment of their own is theirs to keep.
    fn is_writer(&self) -> impl Fn(&Comment) -> bool + '_ {
        // The first comment with a job's record is the original, later ones may be copies.
        let mut authors: BTreeMap<&Writer, Option<&str>> = BTreeMap::new();
        for (comment, record) in self.records() {
            authors.entry(record.by()).or_insert(comment.author.as_deref());
        }
        let writers: BTreeSet<Option<&str>> = authors.into_values().collect();
        move |comment: &Comment| {
            let author = comment.author.as_deref();
            author.is_some_and(|author| author.ends_with("[bot]")) || writers.contains(&author)
        }
    }

    fn seq(&self, id: CommentId) -> Option<u64> {
        self.comments.get(&id).and_then(|(_, content)| content.seq())
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
        let content = marker.and_then(|marker| match Self::parse(&marker) {
            Err(MarkerError::Newer) if marker.word() == Kind::Board.as_str() => Ok(Self::NewerBoard),
            // Somebody has edited the board: the next one takes its place.
            Err(MarkerError::Damaged) if marker.word() == Kind::Board.as_str() => {
                Ok(Self::Board(BoardData::default()))
            }
            Err(MarkerError::Newer) => Unreadable::of(&marker).map(Self::Unreadable),
            content => content,
        });
        // Every release writes whole markers: a person has overwritten this one.
        content.unwrap_or_else(|error| {
            tracing::debug!("comment {} is ignored: {error}", comment.id);
            Self::Foreign
        })
    }

    fn parse(marker: &Marker<'_>) -> Result<Self, MarkerError> {
        Ok(match Record::parse(marker)? {
            Some(record) => Self::Record(Box::new(record)),
            None if marker.kind() == Some(Kind::Board) => Self::Board(marker.data()?),
            None => Self::Foreign,
        })
    }

    /// How often it was written, if it is a record.
    fn seq(&self) -> Option<u64> {
        match self {
            Self::Record(record) => Some(record.seq()),
            Self::Unreadable(record) => Some(record.seq),
            Self::Board(_) | Self::NewerBoard | Self::Foreign => None,
        }
    }
}

impl Unreadable {
    fn of(marker: &Marker<'_>) -> Result<Self, MarkerError> {
        let value = marker.value()?;
        if !value.is_object() {
            return Err(MarkerError::Damaged);
        }
        let seq = match value.get("seq").and_then(Value::as_u64) {
            Some(seq) => number::bounded(seq).map_err(|_| MarkerError::Damaged)?,
            None => 0,
        };
        let never_holds = [Kind::Report, Kind::Notice, Kind::Board, Kind::Ticket].map(Kind::as_str);
        let holds = if never_holds.contains(&marker.word()) {
            Holds::Nothing
        } else {
            targets_of(&value).map_or(Holds::Everything, Holds::These)
        };
        Ok(Self { seq, holds })
    }
}

/// The targets that a record names, whatever else it says; `None` if it does not say it as records do.
fn targets_of(value: &Value) -> Option<Vec<TargetName>> {
    let name = |target: &Value| {
        let name = target.as_str().or_else(|| target.get("target")?.as_str())?;
        Some(TargetName::from(name))
    };
    let names: Option<Vec<TargetName>> = value.get("targets")?.as_array()?.iter().map(name).collect();
    names.filter(|names| !names.is_empty())
}
