//! The ledger: a ticket's log on GitHub. It reads the log, writes records into it, and keeps the
//! board showing what the log says.
//!
//! GitHub has no compare-and-swap for comments, so a board may be overwritten by a writer that had
//! read less. Whoever changed the board therefore reads again, and repeats until what it reads is
//! what the board shows.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::github::issues::{IssueComment, PAGE};
use crate::github::once::sent_once;
use crate::github::{GitHub, GitHubError};
use crate::names::{CommentId, IssueRef};
use crate::plan::Board;
use crate::problem::Problem;
use crate::ticket::{BoardStep, Comment, Log, Record};

/// As often a writer repeats to bring the board up to date; others who write meanwhile do the same.
const ROUNDS: usize = 12;

/// As many records that a board shows and a list does not are asked for one by one.
const ASKED_SINGLY: usize = 20;

/// Records of the last seconds tell how many jobs write at this moment.
const LATELY: TimeDelta = TimeDelta::seconds(15);

/// From so many on, a writer waits before it writes the board: somebody may do it meanwhile.
const CROWD: usize = 6;

/// For each record of the crowd it waits up to so long, and in all no longer than the limit.
const WAIT_FOR_EACH: Duration = Duration::from_millis(200);
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// What is left of a board that another one came before, where it cannot be deleted.
const SUPERSEDED: &str = "The board of this ticket is an earlier comment.";

/// The way to the log of one ticket, and how far that was read. The [`Log`] itself is a value that the
/// caller holds.
#[derive(Debug)]
pub struct Ledger<'a> {
    github: &'a GitHub,
    ticket: IssueRef,
    complete_until: Option<DateTime<Utc>>,
    /// Whether this step has read it.
    is_read: bool,
    /// Whether the warning about records of a newer release was given.
    has_warned: bool,
}

/// A log as far as it was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadLog {
    /// This action's own comments.
    comments: Vec<Comment>,
    /// What changed at or after this time may be missing. GitHub's clock.
    complete_until: DateTime<Utc>,
}

impl<'a> Ledger<'a> {
    /// The ledger of `ticket`, of which nothing was read yet.
    #[must_use]
    pub fn unread(github: &'a GitHub, ticket: IssueRef) -> Self {
        Self { github, ticket, complete_until: None, is_read: false, has_warned: false }
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

    /// The log of `ticket` as an earlier step of this job read it: what changed since then is yet to
    /// be read. A comment that was deleted since then is not noticed.
    #[must_use]
    pub fn resume(github: &'a GitHub, ticket: IssueRef, read: ReadLog) -> (Self, Log) {
        let mut log = Log::default();
        log.extend(read.comments);
        (Self { complete_until: Some(read.complete_until), ..Self::unread(github, ticket) }, log)
    }

    /// What a later step of this job may resume, if that saves it a request.
    #[must_use]
    pub fn worth_resuming(&self, log: &Log) -> Option<ReadLog> {
        let complete_until = self.complete_until?;
        let comments: Vec<Comment> = log.own().cloned().collect();
        (comments.len() > PAGE).then_some(ReadLog { comments, complete_until })
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
    pub async fn read_changes(&mut self, log: &mut Log) -> Result<(), GitHubError> {
        let read = self.github.comments(&self.ticket, self.complete_until).await?;
        log.extend(read.comments.into_iter().map(Comment::from));
        self.complete_until = Some(read.complete_until);
        self.is_read = true;
        self.warn_of_newer_records(log);
        Ok(())
    }

    /// Says once that a newer release of the action wrote to this ticket.
    fn warn_of_newer_records(&mut self, log: &Log) {
        let comments = &log.ticket().unreadable;
        if comments.is_empty() || self.has_warned {
            return;
        }
        self.has_warned = true;
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
        let body = record.render();
        let written = match comment {
            Some(id) => match self.github.edit_comment(&self.ticket, id, &body).await {
                // A person deleted the record; what it says must not be lost with it.
                Err(error) if error.is_gone() && self.github.comment(&self.ticket, id).await?.is_none() => {
                    log.accept_gone(id);
                    self.create(&body).await
                }
                written => written,
            },
            None => self.create(&body).await,
        };
        let written = Comment::from(written?);
        log.extend([written.clone()]);
        Ok(written)
    }

    /// Brings the board up to date, and deletes a second one that another job created meanwhile.
    ///
    /// Where many jobs write at once, each waits for a random time before it writes the board and
    /// looks again: whoever is shown already has nothing left to do.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer. The records are safe: whoever writes next
    /// brings the board up to date.
    pub async fn show_board(&mut self, log: &mut Log) -> Result<Option<Board>, GitHubError> {
        if !self.is_read {
            self.read_changes(log).await?;
        }
        if !log.has_records() {
            return Ok(None);
        }
        let mut created = None;
        let mut waited = false;
        for _ in 0..ROUNDS {
            let step = log.next_board_step();
            if let (BoardStep::Write { .. }, false, Some(wait)) = (&step, waited, self.wait_in_crowd(log)) {
                tokio::time::sleep(wait).await;
                self.read_changes(log).await?;
                waited = true;
                continue;
            }
            waited = false;
            match step {
                BoardStep::Shown | BoardStep::Newer => break,
                BoardStep::ReadAgain(unread) => {
                    self.read_changes(log).await?;
                    self.settle(log, unread).await?;
                    continue;
                }
                // The board of an account that wrote no record is not seen as one: once is enough.
                BoardStep::Write { comment: None, .. } if created.is_some() => break,
                BoardStep::Write { comment: None, body } => {
                    created = Some(Comment::from(self.create(&body).await?).id);
                }
                BoardStep::Write { comment: Some(id), body } => {
                    match self.github.edit_comment(&self.ticket, id, &body).await {
                        Err(error) if error.is_gone() => log.accept_gone(id),
                        written => log.extend([Comment::from(written?)]),
                    }
                }
            }
            self.read_changes(log).await?;
        }
        if !matches!(log.next_board_step(), BoardStep::Shown | BoardStep::Newer) {
            tracing::info!(
                "the board of {} is being written by others; they will show this record",
                self.ticket
            );
        }
        let spare: Vec<CommentId> = log.spare_boards().collect();
        for id in spare {
            self.remove_board(log, id).await?;
        }
        Ok(log.board().map(|board| Board { comment: board.id, created: created == Some(board.id) }))
    }

    /// Deletes a spare board while the ticket is short. On a long one a deleted comment would move
    /// those behind it to a page that another job may have read already, so there it is emptied.
    async fn remove_board(&mut self, log: &mut Log, id: CommentId) -> Result<(), GitHubError> {
        if log.len() < PAGE / 2 {
            self.github.delete_comment(&self.ticket, id).await?;
        } else {
            match self.github.edit_comment(&self.ticket, id, SUPERSEDED).await {
                Err(error) if !error.is_gone() => return Err(error),
                _ => {}
            }
        }
        log.accept_gone(id);
        Ok(())
    }

    /// How long to wait before writing the board, if many jobs write at this moment.
    fn wait_in_crowd(&self, log: &Log) -> Option<Duration> {
        let lately = log.written_since(self.complete_until? - LATELY);
        let longest = WAIT_FOR_EACH.saturating_mul(u32::try_from(lately).unwrap_or(u32::MAX)).min(WAIT_LIMIT);
        (lately >= CROWD).then(|| longest.mul_f64(fastrand::f64()))
    }

    /// Finds out what became of records that a board shows and no list does.
    async fn settle(&mut self, log: &mut Log, unread: Vec<CommentId>) -> Result<(), GitHubError> {
        let missing: Vec<CommentId> = unread.into_iter().filter(|id| !log.has_record(*id)).collect();
        for id in missing.into_iter().take(ASKED_SINGLY) {
            match self.github.comment(&self.ticket, id).await? {
                Some(comment) => log.extend([Comment::from(comment)]),
                None => log.accept_gone(id),
            }
            if !log.has_record(id) {
                log.accept_gone(id);
            }
        }
        Ok(())
    }

    /// Creates a comment once: the marker in its first line tells whether it is there already.
    async fn create(&self, body: &str) -> Result<IssueComment, GitHubError> {
        let first_line = body.lines().next().unwrap_or_default();
        sent_once(
            async || self.github.create_comment(&self.ticket, body).await,
            async || {
                let read = self.github.comments(&self.ticket, self.complete_until).await?;
                let ours = |comment: &IssueComment| {
                    comment.is_trusted() && comment.body.lines().next() == Some(first_line)
                };
                Ok(read.comments.into_iter().find(ours))
            },
        )
        .await
    }
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
