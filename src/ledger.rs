//! The ledger: a ticket's log on GitHub. It reads the log, writes records into it, and keeps the
//! board showing what the log says.
//!
//! GitHub answers reads from replicas that lag, so a list may lack what was acknowledged seconds ago. Two
//! rules follow from that. The next list begins shortly before the newest change that a list has shown,
//! whatever the time is. And a list counts for a decision only if it shows this step's own last write:
//! then it shows as well whatever was written before that ([`Reading`]).
//!
//! `pen` writes comments, `board` keeps the board up to date.

mod board;
mod pen;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::believe;
use crate::github::issues::IssueComment;
use crate::github::{GitHub, GitHubError};
use crate::names::{CommentId, IssueRef};
use crate::problem::Problem;
use crate::ticket::{Comment, Log, Record};
pub use pen::Pen;

/// The next list begins so long before the newest change that was read: a replica may lack changes that are
/// older than those it shows, and each page of a list may come from another replica.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// From so many comments on a step warns, and so many GitHub takes.
const MANY_COMMENTS: usize = 2_200;
const MOST_COMMENTS: usize = 2_500;

/// The way to the log of one ticket, and how far that was read. The [`Log`] itself is a value that the
/// caller holds.
#[derive(Debug)]
pub struct Ledger<'a> {
    github: &'a GitHub,
    ticket: IssueRef,
    /// The newest change that a list has shown.
    newest_change: Option<DateTime<Utc>>,
    /// What this step has written and no list has shown yet.
    unlisted: BTreeMap<CommentId, Comment>,
    /// Whether this step has read the log.
    is_read: bool,
    /// The warnings that were given.
    warned_of: Warnings,
}

#[derive(Debug, Default)]
struct Warnings {
    newer_records: bool,
    many_comments: bool,
    hidden_board: bool,
}

/// What a list of the log is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It shows every record that this step has written, and so whatever was written before.
    Current,
    /// It lacks a write of this step: the replica that answered lags.
    Stale,
}

impl<'a> Ledger<'a> {
    /// The ledger of `ticket`, of which nothing was read yet.
    #[must_use]
    pub fn unread(github: &'a GitHub, ticket: IssueRef) -> Self {
        Self {
            github,
            ticket,
            newest_change: None,
            unlisted: BTreeMap::new(),
            is_read: false,
            warned_of: Warnings::default(),
        }
    }

    /// The ledger of `ticket`, whose log was read just now.
    #[must_use]
    pub fn of_log(github: &'a GitHub, ticket: IssueRef, log: &Log) -> Self {
        let newest_change = log.records().map(|(comment, _)| comment.updated_at).max();
        Self { newest_change, is_read: true, ..Self::unread(github, ticket) }
    }

    /// Reads the whole log of `ticket`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn read(github: &'a GitHub, ticket: IssueRef) -> Result<(Self, Log), GitHubError> {
        let (mut ledger, mut log) = (Self::unread(github, ticket), Log::default());
        ledger.read_changes(&mut log).await?;
        Ok((ledger, log))
    }

    /// GitHub, where the ticket is.
    #[must_use]
    pub fn github(&self) -> &'a GitHub {
        self.github
    }

    /// The ticket.
    #[must_use]
    pub fn ticket(&self) -> &IssueRef {
        &self.ticket
    }

    /// Reads what changed since the log was last read; all of it, if it never was.
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

    /// One comment; none if it is gone.
    async fn comment(&self, id: CommentId) -> Result<Option<IssueComment>, GitHubError> {
        let mut found: Vec<IssueComment> = self.github.comment(&self.ticket, id).await?.into_iter().collect();
        believe::settle(self.github, &self.ticket.repository, &mut found).await;
        Ok(found.pop())
    }

    /// What changed shortly before the newest change that is known, or later.
    async fn list(&self) -> Result<Vec<IssueComment>, GitHubError> {
        let mut list = self.github.comments(&self.ticket, self.since()).await?;
        believe::settle(self.github, &self.ticket.repository, &mut list).await;
        Ok(list)
    }

    /// When the next list begins; none: with the first comment.
    fn since(&self) -> Option<DateTime<Utc>> {
        let newest = self.newest_change? - MARGIN;
        let unlisted = self.unlisted.values().map(|comment| comment.updated_at).min();
        Some(unlisted.map_or(newest, |unlisted| unlisted.min(newest)))
    }

    fn take_in(&mut self, list: Vec<IssueComment>, log: &mut Log) -> Reading {
        let list: Vec<Comment> = list.into_iter().map(Comment::from).collect();
        self.newest_change = list.iter().map(|comment| comment.updated_at).chain(self.newest_change).max();
        self.unlisted.retain(|_, written| !list.iter().any(|listed| is_as_new(listed, written)));
        log.extend(list);
        self.is_read = true;
        self.warn_of_newer_records(log);
        self.warn_of_many_comments(log);
        let lacks_record = self.unlisted.keys().any(|id| log.has_record(*id));
        if lacks_record { Reading::Stale } else { Reading::Current }
    }

    /// Warns once when the ticket is about to be full.
    fn warn_of_many_comments(&mut self, log: &Log) {
        if log.len() < MANY_COMMENTS || self.warned_of.many_comments {
            return;
        }
        self.warned_of.many_comments = true;
        let what = format!(
            "{} has {} comments, and GitHub takes {MOST_COMMENTS} on an issue",
            self.ticket,
            log.len()
        );
        let help = "prefer `wait: true` to reports of every job; or close this ticket and dispatch what is left \
                    under another `release`";
        tracing::warn!("{}", Problem::new(what).help(help));
    }

    /// Says once that a newer release of the action wrote to this ticket.
    fn warn_of_newer_records(&mut self, log: &Log) {
        let comments = &log.ticket().unreadable;
        if comments.is_empty() || self.warned_of.newer_records {
            return;
        }
        self.warned_of.newer_records = true;
        let comments: Vec<String> = comments.iter().map(ToString::to_string).collect();
        let problem = Problem::new(format!(
            "this ticket was written by a newer release of the action: this one cannot read all of {} (comment {})",
            self.ticket,
            comments.join(", ")
        ));
        tracing::warn!(
            "{}",
            problem.help("update the action; until then it leaves alone what it cannot read")
        );
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
        let written = self.pen().write(comment, record).await?;
        Ok(self.keep_record(written, comment, log))
    }

    /// Writes a record as [`write`](Self::write) does, and meanwhile reads the log. The board is only shown
    /// after another reading, so it does not matter which of the two comes first.
    ///
    /// # Errors
    ///
    /// When GitHub refuses the record or gives no clear answer. If the log cannot be read, whoever needs it
    /// reads it again.
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
        let (list, written) = tokio::join!(self.list(), pen.write(comment, record));
        if let Ok(list) = list {
            self.take_in(list, log);
        }
        Ok(self.keep_record(written?, comment, log))
    }

    /// The means to write a record while other steps go on; [`keep_record`](Self::keep_record) keeps what
    /// was written.
    #[must_use]
    pub fn pen(&self) -> Pen<'a> {
        Pen { github: self.github, ticket: self.ticket.clone(), since: self.since() }
    }

    /// Keeps a record in mind that was written into `comment`, or as a new one.
    pub fn keep_record(&mut self, written: Comment, comment: Option<CommentId>, log: &mut Log) -> Comment {
        if let Some(gone) = comment.filter(|comment| *comment != written.id) {
            self.accept_gone(gone, log);
        }
        self.keep(written.clone(), log);
        written
    }

    /// Keeps what was written in mind until a list shows it.
    fn keep(&mut self, written: Comment, log: &mut Log) -> CommentId {
        let id = written.id;
        self.unlisted.insert(id, written.clone());
        log.extend([written]);
        id
    }

    fn accept_gone(&mut self, id: CommentId, log: &mut Log) {
        self.unlisted.remove(&id);
        log.accept_gone(id);
    }
}

/// Whether a list shows a comment as this step has written it, or as somebody has written it later.
fn is_as_new(listed: &Comment, written: &Comment) -> bool {
    let is_later = listed.updated_at > written.updated_at;
    // An earlier text may have been the same.
    let is_same = listed.updated_at == written.updated_at && listed.body == written.body;
    listed.id == written.id && (is_later || is_same)
}

impl From<IssueComment> for Comment {
    fn from(comment: IssueComment) -> Self {
        Self {
            id: comment.id,
            author: comment.author().map(str::to_owned),
            trusted: comment.is_trusted(),
            created_at: comment.created_at,
            updated_at: comment.updated_at,
            url: comment.html_url,
            body: comment.body,
        }
    }
}
