//! The board on GitHub: a job writes it until a list shows it with every record of that list.
//!
//! GitHub has no compare-and-swap for comments, so a writer that had read less may overwrite the board. A job that
//! changed the board therefore reads again, and repeats until the board shows all that it reads.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::TimeDelta;

use super::{Ledger, Reading};
use crate::github::GitHubError;
use crate::github::issues::{IssueComment, PAGE};
use crate::names::CommentId;
use crate::plan::Board;
use crate::problem::{Problem, Topic};
use crate::ticket::{BoardStep, Comment, Log};

/// The most rounds in which a job brings the board up to date; other jobs that write meanwhile do so, too.
const ROUNDS: usize = 12;

/// The most records that a job reads one by one because a board shows them and a list does not.
const SINGLE_READS: usize = 20;

/// The period whose number of records shows how many jobs write at this moment.
const LATELY: TimeDelta = TimeDelta::seconds(15);

/// The number of records from which a job waits before it writes the board: another job may do it meanwhile.
const CROWD: usize = 6;

/// The longest wait for each record of the crowd.
const WAIT_FOR_EACH: Duration = Duration::from_millis(200);
/// The longest wait in all.
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// If another job has written the board in the same second, the other text counts as the later one after this many
/// more lists, which take three and a half seconds.
const CONTESTED_LISTS: usize = 3;

/// The text that replaces a superfluous board on a ticket where it must not be deleted.
const SUPERSEDED: &str = "The board of this ticket is an earlier comment.";

impl Ledger<'_> {
    /// Reads the changes, and meanwhile writes the board from the present log. If other jobs have written meanwhile,
    /// the board is behind, and [`show_board`](Self::show_board) is due.
    ///
    /// # Errors
    ///
    /// Each of the two, when GitHub refuses or does not answer.
    pub async fn read_beside_board(
        &mut self,
        log: &mut Log,
    ) -> (Result<Reading, GitHubError>, Result<Option<Board>, GitHubError>) {
        let BoardStep::Write { comment, body } = log.next_board_step() else {
            return (self.read_changes(log).await, self.show_board(log).await);
        };
        let pen = self.pen();
        let (list, write) = tokio::join!(self.list(), pen.put(comment, &body));
        let reading = list.map(|list| self.take_in(list, log));
        let board = write.map(|written_board| {
            let id = self.keep_board(written_board, log);
            let is_behind = log.next_board_step() != BoardStep::Shown;
            Some(Board { comment: id, is_new: comment.is_none(), is_behind })
        });
        (reading, board)
    }

    /// Brings the board up to date, and deletes a second one that another job created meanwhile.
    ///
    /// If many jobs write at once, each waits for a random time before it writes the board, and reads again: a job
    /// whose record is on the board by that time has nothing left to do.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer. The records are safe: the next job that writes brings the board
    /// up to date.
    pub async fn show_board(&mut self, log: &mut Log) -> Result<Option<Board>, GitHubError> {
        if !self.is_read {
            self.read_changes(log).await?;
        }
        if !log.has_records() {
            return Ok(None);
        }
        let own_board = self.write_until_current(log).await?;
        if !matches!(log.next_board_step(), BoardStep::Shown | BoardStep::Newer) {
            tracing::info!("other jobs are writing the board of {}; they will show this record", self.ticket);
        }
        let spare: Vec<CommentId> = log.spare_boards().collect();
        for id in spare {
            self.remove_board(log, id).await?;
        }
        let board = log.board();
        Ok(board.map(|board| Board {
            comment: board.id,
            is_new: own_board == Some(board.id),
            is_behind: false,
        }))
    }

    /// Writes the board until it shows the log; returns its comment if this step created it.
    async fn write_until_current(&mut self, log: &mut Log) -> Result<Option<CommentId>, GitHubError> {
        let (mut own_board, mut has_waited, mut delays) = (None, false, delays());
        for _ in 0..ROUNDS {
            match log.next_board_step() {
                BoardStep::Shown | BoardStep::Newer => break,
                BoardStep::ReadAgain(records) => {
                    self.read_changes(log).await?;
                    self.settle(log, records).await?;
                    match (log.next_board_step(), delays.next()) {
                        (BoardStep::ReadAgain(_), Some(delay)) => tokio::time::sleep(delay).await,
                        // These are the newest states on GitHub: a person has edited the board.
                        (BoardStep::ReadAgain(records), None) => log.accept_as_read(records),
                        _ => {}
                    }
                }
                BoardStep::Write { .. } if !has_waited && self.wait_in_crowd(log).await? => has_waited = true,
                // The log does not recognize the board of an account without records: once is enough.
                BoardStep::Write { comment: None, .. } if own_board.is_some() => break,
                BoardStep::Write { comment, body } => {
                    has_waited = false;
                    let Some(id) = self.write_board(comment, &body, log).await? else { continue };
                    own_board = own_board.or(Some(id).filter(|_| comment.is_none()));
                    if !self.read_board_back(id, log).await? {
                        break;
                    }
                }
            }
        }
        Ok(own_board)
    }

    /// Writes the board; `None` if a person has deleted it.
    async fn write_board(
        &mut self,
        comment: Option<CommentId>,
        body: &str,
        log: &mut Log,
    ) -> Result<Option<CommentId>, GitHubError> {
        match (self.pen().put(comment, body).await, comment) {
            (Err(error), Some(id)) if error.is_gone() => {
                self.accept_loss(id, log);
                Ok(None)
            }
            (board, _) => Ok(Some(self.keep_board(board?, log))),
        }
    }

    /// Keeps a written board in mind until a list shows it. If a person has hidden its comment, this is a warning.
    fn keep_board(&mut self, board: IssueComment, log: &mut Log) -> CommentId {
        if let Some(reason) = board.hiding_reason()
            && !self.warnings.hidden_board
        {
            self.warnings.hidden_board = true;
            let reason = Some(reason).filter(|reason| !reason.is_empty());
            let reason = reason.map(|reason| format!(" as \"{reason}\"")).unwrap_or_default();
            let what =
                format!("a person has hidden the board of {}{reason}: {}", self.ticket, board.html_url);
            let help = "to show it again, choose \"Unhide\" in the menu of that comment";
            Problem::new(what).help(Topic::Record, help).warn();
        }
        self.keep(board.into(), log)
    }

    /// Reads until a list shows the board as this step has written it, or a later state of it; returns whether one
    /// does.
    async fn read_board_back(&mut self, id: CommentId, log: &mut Log) -> Result<bool, GitHubError> {
        for (lists, delay) in delays().enumerate() {
            self.read_changes(log).await?;
            let Some(write) = self.pending_writes.get(&id) else { return Ok(true) };
            // Another job wrote it in the same second: before this job, and the list lags; or after it. A job that saw
            // two boards may have deleted the later one.
            let is_contested = |board: &Comment| board.id != id || board.updated_at == write.updated_at;
            let is_contested =
                log.board().is_some_and(|board| is_contested(board) && board.body != write.body);
            if is_contested && lists >= CONTESTED_LISTS {
                return Ok(true);
            }
            tracing::debug!("GitHub does not list the last write to {} yet; reading again", self.ticket);
            tokio::time::sleep(delay).await;
        }
        self.pending_writes.remove(&id);
        tracing::info!("GitHub does not list the last write to {} yet", self.ticket);
        Ok(false)
    }

    /// Deletes a superfluous board while the ticket is short. On a long ticket, a deleted comment would move later
    /// ones to a page that another job may have read already, so there the board's text is replaced.
    async fn remove_board(&mut self, log: &mut Log, id: CommentId) -> Result<(), GitHubError> {
        if log.len() < PAGE / 2 {
            self.github.delete_comment(&self.ticket, id).await?;
        } else {
            match self.github.edit_comment(&self.ticket, id, SUPERSEDED).await {
                Err(error) if !error.is_gone() => return Err(error),
                _ => {}
            }
        }
        self.accept_loss(id, log);
        Ok(())
    }

    /// If many jobs write at this moment, waits for a while and reads again; returns whether it did.
    async fn wait_in_crowd(&mut self, log: &mut Log) -> Result<bool, GitHubError> {
        let own_writes = self.pending_writes.values().map(|comment| comment.updated_at);
        let newest = own_writes.chain(self.newest_change).max();
        let crowd = newest.map_or(0, |newest| log.written_since(newest - LATELY));
        if crowd < CROWD {
            return Ok(false);
        }
        let longest = WAIT_FOR_EACH.saturating_mul(u32::try_from(crowd).unwrap_or(u32::MAX)).min(WAIT_LIMIT);
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        self.read_changes(log).await?;
        Ok(true)
    }

    /// Reads the records that a board shows and no list does. A record that GitHub does not find counts as gone only
    /// after the lag of a replica.
    ///
    /// # Errors
    ///
    /// When GitHub refuses, or does not say whether the author of a record on the board may write records: then the
    /// board may know more, and stays as it is.
    async fn settle(&mut self, log: &mut Log, records: Vec<CommentId>) -> Result<(), GitHubError> {
        let missing = records.into_iter().filter(|id| !log.has_record(*id)).take(SINGLE_READS);
        let ledger = &*self;
        let requests = missing.map(|id| async move { (id, ledger.comment(id).await) });
        for (id, comment) in futures::future::join_all(requests).await {
            let comment = comment?;
            if let Some(unsettled) = comment.as_ref().filter(|comment| comment.is_unsettled) {
                return Err(GitHubError::Unsettled { url: unsettled.html_url.clone() });
            }
            log.extend(comment.map(Comment::from));
            if !log.has_record(id) {
                log.accept_loss(id);
            }
        }
        Ok(())
    }
}

/// The pauses between lists that lag: about twenty seconds in all.
fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(7)
        .build()
}
