//! The ledger: a ticket's log on GitHub. It reads the log, writes records into it, and keeps the board up to date.
//!
//! GitHub answers reads from replicas that lag, so a list may lack writes that were acknowledged seconds ago. Two
//! rules follow from that. The next list begins shortly before the newest change that a list has shown, and no clock
//! matters. And a list counts for a decision only if it shows this step's own last write: then it shows all earlier
//! writes, too ([`Reading`]).
//!
//! `pen` writes comments, `board` keeps the board up to date.

mod board;
mod pen;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::github::issues::IssueComment;
use crate::github::{GitHub, GitHubError};
use crate::names::{CommentId, IssueRef};
use crate::problem::{Problem, Topic};
use crate::ticket::{Comment, Log, Record};
use crate::trust;
pub use pen::Pen;

/// The next list begins this long before the newest change that was read: a replica may lack changes that are
/// older than those it shows, and each page of a list may come from another replica.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// The number of comments from which a step warns.
const MANY_COMMENTS: usize = 2_200;
/// The most comments that GitHub takes on an issue.
const MOST_COMMENTS: usize = 2_500;

/// The access to the log of one ticket, and the position up to which this step has read it. The caller holds the
/// [`Log`] itself.
#[derive(Debug)]
pub struct Ledger<'a> {
    github: &'a GitHub,
    ticket: IssueRef,
    /// The newest change that a list has shown.
    newest_change: Option<DateTime<Utc>>,
    /// The comments that this step has written and no list has shown yet.
    pending_writes: BTreeMap<CommentId, Comment>,
    /// Whether this step has read the log.
    is_read: bool,
    /// The warnings that this step has given, each once.
    warnings: Warnings,
}

#[derive(Debug, Default)]
struct Warnings {
    newer_records: bool,
    many_comments: bool,
    hidden_board: bool,
}

/// Whether a list of the log is complete enough for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It shows every record that this step has written, and so every earlier write.
    Current,
    /// It lacks a write of this step: the replica that answered lags.
    Stale,
}

impl<'a> Ledger<'a> {
    /// The ledger of `ticket` before its first reading.
    #[must_use]
    pub fn new(github: &'a GitHub, ticket: IssueRef) -> Self {
        Self {
            github,
            ticket,
            newest_change: None,
            pending_writes: BTreeMap::new(),
            is_read: false,
            warnings: Warnings::default(),
        }
    }

    /// The ledger of `ticket` after the reading of `log`.
    #[must_use]
    pub fn of_log(github: &'a GitHub, ticket: IssueRef, log: &Log) -> Self {
        let newest_change = log.records().map(|(comment, _)| comment.updated_at).max();
        Self { newest_change, is_read: true, ..Self::new(github, ticket) }
    }

    /// Reads the whole log of `ticket`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn read(github: &'a GitHub, ticket: IssueRef) -> Result<(Self, Log), GitHubError> {
        let (mut ledger, mut log) = (Self::new(github, ticket), Log::default());
        ledger.read_changes(&mut log).await?;
        Ok((ledger, log))
    }

    /// The GitHub with the ticket.
    #[must_use]
    pub fn github(&self) -> &'a GitHub {
        self.github
    }

    /// The ticket.
    #[must_use]
    pub fn ticket(&self) -> &IssueRef {
        &self.ticket
    }

    /// Reads the changes since the last reading; at the first time, the whole log.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn read_changes(&mut self, log: &mut Log) -> Result<Reading, GitHubError> {
        let list = self.list().await?;
        Ok(self.take_in(list, log))
    }

    /// Reads one comment, which a list may not show yet.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn read_comment(&mut self, log: &mut Log, id: CommentId) -> Result<(), GitHubError> {
        log.extend(self.comment(id).await?.map(Comment::from));
        Ok(())
    }

    /// One comment; `None` if it is gone.
    async fn comment(&self, id: CommentId) -> Result<Option<IssueComment>, GitHubError> {
        let mut comments: Vec<IssueComment> =
            self.github.comment(&self.ticket, id).await?.into_iter().collect();
        trust::settle(self.github, &self.ticket.repository, &mut comments).await;
        Ok(comments.pop())
    }

    /// The comments that changed shortly before the newest known change, or later.
    async fn list(&self) -> Result<Vec<IssueComment>, GitHubError> {
        let mut list = self.github.comments(&self.ticket, self.since()).await?;
        trust::settle(self.github, &self.ticket.repository, &mut list).await;
        Ok(list)
    }

    /// The time at which the next list begins; `None`: at the first comment.
    fn since(&self) -> Option<DateTime<Utc>> {
        let newest = self.newest_change? - MARGIN;
        let first_pending = self.pending_writes.values().map(|comment| comment.updated_at).min();
        Some(first_pending.map_or(newest, |pending| pending.min(newest)))
    }

    fn take_in(&mut self, list: Vec<IssueComment>, log: &mut Log) -> Reading {
        let list: Vec<Comment> = list.into_iter().map(Comment::from).collect();
        self.newest_change = list.iter().map(|comment| comment.updated_at).chain(self.newest_change).max();
        self.pending_writes.retain(|_, write| !list.iter().any(|comment| is_as_new(comment, write)));
        log.extend(list);
        self.is_read = true;
        self.warn_of_newer_records(log);
        self.warn_of_many_comments(log);
        let lacks_record = self.pending_writes.keys().any(|id| log.has_record(*id));
        if lacks_record { Reading::Stale } else { Reading::Current }
    }

    /// Warns once if the ticket is almost full.
    fn warn_of_many_comments(&mut self, log: &Log) {
        if log.len() < MANY_COMMENTS || self.warnings.many_comments {
            return;
        }
        self.warnings.many_comments = true;
        let what = format!(
            "{} has {} of the {MOST_COMMENTS} comments that GitHub takes on an issue",
            self.ticket,
            log.len()
        );
        let help = "prefer `wait: true` to reports of every job; or close this ticket and dispatch the \
                    remaining targets under another `release`";
        Problem::new(what).help(Topic::Ticket, help).warn();
    }

    /// Warns once if a newer release of the action wrote to this ticket.
    fn warn_of_newer_records(&mut self, log: &Log) {
        let comments = &log.ticket().unreadable_comments;
        if comments.is_empty() || self.warnings.newer_records {
            return;
        }
        self.warnings.newer_records = true;
        let comments: Vec<String> = comments.iter().map(ToString::to_string).collect();
        let problem = Problem::new(format!(
            "a newer release of the action wrote this ticket: this release cannot read all of {} (comment {})",
            self.ticket,
            comments.join(", ")
        ));
        let help = "update the action; until then it leaves those comments as they are";
        problem.help(Topic::NewerRelease, help).warn();
    }

    /// Writes `record`: into `comment`, which holds its earlier state, or as a new comment.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn write(
        &mut self,
        log: &mut Log,
        comment: Option<CommentId>,
        record: &Record,
    ) -> Result<Comment, GitHubError> {
        let write = self.pen().write(comment, record).await?;
        Ok(self.keep_record(write, comment, log))
    }

    /// Writes a record as [`write`](Self::write) does, and meanwhile reads the log. The board needs another reading
    /// anyway, so it does not matter which of the two comes first.
    ///
    /// # Errors
    ///
    /// When GitHub refuses the record or gives no clear answer. A failed reading is not an error: the next step that
    /// needs the log reads it again.
    pub async fn write_beside_reading(
        &mut self,
        log: &mut Log,
        comment: Option<CommentId>,
        record: &Record,
    ) -> Result<Comment, GitHubError> {
        if self.is_read {
            return self.write(log, comment, record).await;
        }
        let pen = self.pen();
        let (list, write) = tokio::join!(self.list(), pen.write(comment, record));
        if let Ok(list) = list {
            self.take_in(list, log);
        }
        Ok(self.keep_record(write?, comment, log))
    }

    /// A pen, which can write a record beside other requests. [`keep_record`](Self::keep_record) then keeps the
    /// record.
    #[must_use]
    pub fn pen(&self) -> Pen<'a> {
        Pen { github: self.github, ticket: self.ticket.clone(), since: self.since() }
    }

    /// Keeps a written record in mind until a list shows it. `earlier` is the comment that held its earlier state; if
    /// a person has deleted that one, the record is a new comment.
    pub fn keep_record(&mut self, write: Comment, earlier: Option<CommentId>, log: &mut Log) -> Comment {
        if let Some(id) = earlier.filter(|earlier| *earlier != write.id) {
            self.accept_loss(id, log);
        }
        self.keep(write.clone(), log);
        write
    }

    /// Keeps a written comment in mind until a list shows it.
    fn keep(&mut self, write: Comment, log: &mut Log) -> CommentId {
        let id = write.id;
        self.pending_writes.insert(id, write.clone());
        log.extend([write]);
        id
    }

    fn accept_loss(&mut self, id: CommentId, log: &mut Log) {
        self.pending_writes.remove(&id);
        log.accept_loss(id);
    }
}

/// Whether a comment of a list is this step's `write`, or a later state of it.
fn is_as_new(comment: &Comment, write: &Comment) -> bool {
    let is_later = comment.updated_at > write.updated_at;
    // An equal text alone proves nothing: an earlier state may have had it.
    let is_same = comment.updated_at == write.updated_at && comment.body == write.body;
    comment.id == write.id && (is_later || is_same)
}

impl From<IssueComment> for Comment {
    fn from(comment: IssueComment) -> Self {
        Self {
            id: comment.id,
            author: comment.author().map(str::to_owned),
            is_trusted: comment.is_trusted(),
            created_at: comment.created_at,
            updated_at: comment.updated_at,
            url: comment.html_url,
            body: comment.body,
        }
    }
}
