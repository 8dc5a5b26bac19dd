//! The log: the comments of a ticket as this step read them, and the next step for the board.
//!
//! A comment counts only if its first line is a marker *and* its author is trusted: a bot, or an
//! owner, member or collaborator of the hub. All other comments belong to people and stay as they are.
//!
//! A record that only a newer release can read still counts: the board's marker lists it, and no job starts a target
//! that it may hold ([`Log::unreadable_hold`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::basis::Basis;
use super::board;
use super::board_data::{BoardData, RecordVersions};
use super::decision::Decision;
use super::fold::{fold_by_basis, fold_without};
use super::marker::{Kind, Marker, MarkerError};
use super::record::{Dispatch, Notice, Record, Report};
use super::release::Release;
use super::second::{SecondStart, second_starts};
use super::state::Ticket;
use super::writer::Writer;
use crate::names::{CommentId, RepoName, TargetName, number};
use crate::problem::{Problem, Topic};

/// A comment as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The account that wrote it; `None` if the account is gone.
    pub author: Option<String>,
    /// Whether the author may write records.
    pub is_trusted: bool,
    /// Its text.
    pub body: String,
    /// Its creation, by GitHub's clock.
    pub created_at: DateTime<Utc>,
    /// Its last change, by GitHub's clock.
    pub updated_at: DateTime<Utc>,
    /// The comment in the browser.
    pub url: String,
}

impl Comment {
    /// The problem of a record that this step wrote to `hub` and that counts for nothing, because its author lacks the
    /// role.
    #[must_use]
    pub fn author_problem(&self, hub: &RepoName) -> Problem {
        let author = self.author.as_deref().unwrap_or("an account that is gone");
        let what = format!("{} is ignored: {author} does not have the role triage in {hub}", self.url);
        let help = match &self.author {
            Some(author) => format!("give {author} the role triage in {hub}, or use a token of an App"),
            None => "use a token of an App".to_owned(),
        };
        Problem::new(what).help(Topic::Record, help)
    }
}

/// A comment as this action reads it.
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

/// The targets that an unreadable record may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Nothing,
    These(Vec<TargetName>),
    Everything,
}

/// The comments of a ticket that this step has read.
#[derive(Debug, Clone, Default)]
pub struct Log {
    comments: BTreeMap<CommentId, (Comment, Content)>,
    /// The comments that hold records of hub jobs: few among many, and often needed.
    dispatches: BTreeSet<CommentId>,
    /// The records for which a board's higher version is accepted: deleted ones, and those for which a person edited the
    /// board.
    exceptions: BTreeSet<CommentId>,
    fold_cache: FoldCache,
    basis_cache: BasisCache,
}

/// The fold of all comments, made at its first use.
#[derive(Clone, Default)]
struct FoldCache(OnceLock<Box<Fold>>);

/// The ticket of the last basis for which it was folded.
#[derive(Default)]
struct BasisCache(Mutex<Option<(Basis, Arc<Ticket>)>>);

impl Clone for BasisCache {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl fmt::Debug for BasisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

#[derive(Clone)]
struct Fold {
    ticket: Ticket,
    /// The records that this release cannot read, with their authors and the targets that they may hold.
    holds: Vec<(CommentId, Option<String>, Holds)>,
}

impl fmt::Debug for FoldCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// The next step, after which the board shows what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardStep {
    /// None: the board shows all records that this step has read.
    Shown,
    /// Read these records first: the board was folded from newer states of them.
    ReadAgain(Vec<CommentId>),
    /// None: a newer release wrote the board from records that this one cannot read, so it stays as it is.
    Newer,
    /// Write the board: in place, or as a new comment.
    Write {
        /// The board's comment, if there is one.
        comment: Option<CommentId>,
        /// The whole new text.
        body: String,
    },
}

impl Log {
    /// Adds comments; a newer state of a comment replaces an older one.
    ///
    /// Lists are read page by page while others write, and from replicas that lag, so a later answer may hold
    /// the older text.
    pub fn extend(&mut self, comments: impl IntoIterator<Item = Comment>) {
        for comment in comments {
            let content = Content::of(&comment);
            let present = self.comments.get(&comment.id);
            let age = |comment: &Comment, content: &Content| (content.seq(), comment.updated_at);
            if present.is_none_or(|(present, old)| age(present, old) <= age(&comment, &content)) {
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

    /// Accepts that a person deleted a comment, or overwrote its record. A board need not show it any more.
    pub fn accept_loss(&mut self, id: CommentId) {
        self.comments.remove(&id);
        self.dispatches.remove(&id);
        self.exceptions.insert(id);
        self.forget_folds();
    }

    /// Accepts that this step has read the newest states of these records, although a board claims newer ones.
    pub fn accept_as_read(&mut self, records: impl IntoIterator<Item = CommentId>) {
        self.exceptions.extend(records);
    }

    fn forget_folds(&mut self) {
        (self.fold_cache, self.basis_cache) = (FoldCache::default(), BasisCache::default());
    }

    /// Whether the comment is here and holds a record, readable or not.
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

    /// The number of comments, those of people included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.comments.len()
    }

    /// Whether there are records, which a board could show.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.records().next().is_some()
    }

    /// Whether the log has no comment.
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

    /// The author of the first record that may decide something: a claim, a decision, or a record that this release
    /// cannot read and that may be either.
    #[must_use]
    pub fn first_claimant(&self) -> Option<&str> {
        let claims = self.dispatches().map(|(comment, _)| comment);
        let decisions = self.decisions().map(|(comment, _)| comment);
        let unreadable = self.unreadable().map(|(comment, _)| comment);
        let first = claims.chain(decisions).chain(unreadable).min_by_key(|comment| comment.id);
        first.and_then(|comment| comment.author.as_deref())
    }

    /// Whether the hub closes the ticket once everything is released. The newest claim of the account that claimed
    /// first says so: other accounts decide nothing.
    #[must_use]
    pub fn closes_ticket(&self) -> bool {
        let first = self.first_claimant();
        let own = self.dispatches().filter(|(comment, _)| comment.author.as_deref() == first);
        let newest = own.max_by_key(|(_, claim)| (claim.by.run, claim.by.attempt, claim.seq));
        newest.is_some_and(|(_, claim)| claim.close)
    }

    /// The records of target jobs, oldest first.
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

    /// The records of the whole release by the hub's account in `basis`, oldest first.
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

    /// The highest sequence number among the records of `writer`, 0 if there is none. It is at most half of the
    /// highest number, so that more can follow even if others wrote a huge one in that name.
    #[must_use]
    pub fn last_seq(&self, writer: &Writer) -> u64 {
        self.records()
            .filter(|(_, record)| record.by() == writer)
            .map(|(_, record)| record.seq())
            .max()
            .map_or(0, |seq| seq.min(number::MAX / 2))
    }

    /// The number of records that changed at or after `since`.
    #[must_use]
    pub fn written_since(&self, since: DateTime<Utc>) -> usize {
        self.records().filter(|(comment, _)| comment.updated_at >= since).count()
    }

    /// The state of the release by all records, folded once for each change of the log.
    #[must_use]
    pub fn ticket(&self) -> &Ticket {
        &self.fold().ticket
    }

    fn fold(&self) -> &Fold {
        self.fold_cache.0.get_or_init(|| {
            let unreadable = self.newer_comments().collect();
            let first = self.first_claimant();
            // Anybody who may write records could write a decision in the name of others.
            let counts = |(comment, record): &(&Comment, &Record)| {
                !matches!(record, Record::Decision(_)) || comment.author.as_deref() == first
            };
            let records = self.records().filter(counts).map(|(_, record)| record);
            let ticket =
                Ticket { unreadable_comments: unreadable, ..fold_without(records, self.second_starts()) };
            let holds = self
                .unreadable()
                .map(|(comment, record)| (comment.id, comment.author.clone(), record.holds.clone()));
            let newer = self.decisions().filter(|(_, decision)| decision.has_newer_words());
            let newer = newer.map(|(comment, decision)| {
                let names = Some(decision.names.clone()).filter(|names| !names.is_empty());
                (comment.id, comment.author.clone(), names.map_or(Holds::Everything, Holds::These))
            });
            Box::new(Fold { ticket, holds: holds.chain(newer).collect() })
        })
    }

    /// The state of the release by the facts of `basis` alone, on which decisions may rest.
    #[must_use]
    pub fn ticket_by_basis(&self, basis: &Basis) -> Arc<Ticket> {
        let mut cache = self.basis_cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cache {
            Some((of_ticket, ticket)) if of_ticket == basis => Arc::clone(ticket),
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
                let ticket = fold_by_basis(claims, reports, notices, decisions, second, basis);
                let unreadable = self.ticket().unreadable_comments.clone();
                let ticket = Arc::new(Ticket { unreadable_comments: unreadable, ..ticket });
                *cache = Some((basis.clone(), Arc::clone(&ticket)));
                ticket
            }
        }
    }

    fn second_starts(&self) -> Vec<SecondStart> {
        let claims = self.dispatches();
        second_starts(claims.map(|(comment, dispatch)| (comment.id, comment.author.as_deref(), dispatch)))
    }

    /// The comments of newer releases that this one cannot read, or not whole.
    fn newer_comments(&self) -> impl Iterator<Item = CommentId> {
        let newer = self.records().filter(|(_, record)| record.has_newer_words());
        let mut ids: Vec<CommentId> = newer.map(|(comment, _)| comment.id).collect();
        ids.extend(self.unreadable().map(|(comment, _)| comment.id));
        ids.sort();
        ids.into_iter()
    }

    /// The records that this release cannot read, oldest first.
    fn unreadable(&self) -> impl Iterator<Item = (&Comment, &Unreadable)> {
        let is_writer = self.is_writer();
        self.comments.values().filter_map(move |(comment, content)| match content {
            Content::Unreadable(record) if is_writer(comment) => Some((comment, record)),
            _ => None,
        })
    }

    /// A record by the hub's account in `basis` that this release cannot read and that may hold `target`.
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
        let mut own = self.fold().holds.iter().filter(|(_, author, _)| basis.is_own(author.as_deref()));
        own.find(|(_, _, holds)| may_hold(holds)).map(|(comment, _, _)| *comment)
    }

    /// The board; of several the one with the lowest id.
    #[must_use]
    pub fn board(&self) -> Option<&Comment> {
        self.boards().next().map(|(comment, _)| comment)
    }

    /// The superfluous boards, which other jobs created at the same time.
    pub fn spare_boards(&self) -> impl Iterator<Item = CommentId> {
        self.boards().skip(1).map(|(comment, _)| comment.id)
    }

    /// Decides the next step for the board.
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
        // The writer of the board may understand more words of the same records.
        if board.versions == data.versions
            && board.unread_records.iter().all(|id| data.unread_records.contains(id))
        {
            return BoardStep::Shown;
        }
        let mut newer_records = board.versions.newer_records(|id| self.seq(id));
        newer_records.retain(|id| !self.exceptions.contains(id));
        if !newer_records.is_empty() {
            return BoardStep::ReadAgain(newer_records);
        }
        let shows_more = |id: &CommentId| board.versions.lists(*id) && !board.unread_records.contains(id);
        let rows = board::OldRows::parse(&comment.body);
        let row = |name: &TargetName| rows.row(name).cloned();
        let targets = self.ticket().targets_with_newer_words();
        let replaceable = |id: CommentId| match &self.comments[&id].1 {
            Content::Record(_) => targets.iter().all(|name| row(name).is_some()),
            _ => false,
        };
        if data.unread_records.iter().filter(|id| shows_more(id)).any(|id| !replaceable(*id)) {
            return BoardStep::Newer;
        }
        let old_rows = targets.into_iter().filter_map(|name| Some((name.clone(), row(name)?)));
        BoardStep::Write {
            comment: Some(comment.id),
            body: board::render(self.ticket(), &data, &old_rows.collect()),
        }
    }

    /// The data of a board of this log.
    fn board_data(&self) -> BoardData {
        let readable = self.records().map(|(comment, record)| (comment.id, record.seq()));
        let versions = RecordVersions::of(
            readable.chain(self.unreadable().map(|(comment, record)| (comment.id, record.seq))),
        );
        let ids = self.newer_comments().filter(|id| versions.lists(*id)).collect();
        BoardData { versions, unread_records: ids }
    }

    /// The boards, oldest first.
    fn boards(&self) -> impl Iterator<Item = (&Comment, &BoardData)> {
        let is_writer = self.is_writer();
        self.comments.values().filter_map(move |(comment, content)| match content {
            Content::Board(data) if is_writer(comment) => Some((comment, data)),
            _ => None,
        })
    }

    /// Whether the author of a comment writes records: a bot, or an account under which the action runs. A board that
    /// a person copied into a comment of their own stays theirs.
    fn is_writer(&self) -> impl Fn(&Comment) -> bool + '_ {
        // The first comment with a job's record is the original; later ones may be copies.
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
            Some(_) if !comment.is_trusted => {
                let author = comment.author.as_deref().unwrap_or("an account that is gone");
                tracing::debug!("comment {} is ignored: {author} may not write records", comment.id);
                return Self::Foreign;
            }
            Some(marker) => marker,
        };
        let content = marker.and_then(|marker| match Self::parse(&marker) {
            Err(MarkerError::Newer) if marker.word() == Kind::Board.as_str() => Ok(Self::NewerBoard),
            // A person has edited the board: the next board takes its place.
            Err(MarkerError::Damaged) if marker.word() == Kind::Board.as_str() => {
                Ok(Self::Board(BoardData::default()))
            }
            Err(MarkerError::Newer) => Unreadable::of(&marker).map(Self::Unreadable),
            content => content,
        });
        // Every release writes whole markers, so a person has overwritten this one.
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

    /// The sequence number, if it is a record.
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

/// The targets in the field `targets` of an unreadable record; `None` if the field is missing or has another shape.
fn targets_of(value: &Value) -> Option<Vec<TargetName>> {
    let name = |target: &Value| {
        let name = target.as_str().or_else(|| target.get("target")?.as_str())?;
        Some(TargetName::from(name))
    };
    let names: Option<Vec<TargetName>> = value.get("targets")?.as_array()?.iter().map(name).collect();
    names.filter(|names| !names.is_empty())
}
