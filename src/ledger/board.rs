//! The board on GitHub: written until a list shows it with every record that the list has.
//!
//! GitHub has no compare-and-swap for comments, so a board may be overwritten by a writer that had
//! read less. A job that changed the board therefore reads again, and repeats until what it reads is
//! what the board shows.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::TimeDelta;

use super::{Ledger, Reading};
use crate::github::GitHubError;
use crate::github::issues::{IssueComment, PAGE};
use crate::names::CommentId;
use crate::plan::Board;
use crate::problem::Problem;
use crate::ticket::{BoardStep, Comment, Log};

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

/// A board that somebody else has written in the same second is taken for the later one after so many more
/// lists, which take three and a half seconds.
const CONTESTED_LISTS: usize = 3;

/// What is left of a board that another one came before, where it cannot be deleted.
const SUPERSEDED: &str = "The board of this ticket is an earlier comment.";

impl Ledger<'_> {
    /// Reads what changed, and meanwhile writes the board from what is known. If others have written
    /// meanwhile the board is behind, and [`show_board`](Self::show_board) is due.
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
        let (list, written) = tokio::join!(self.list(), pen.put(comment, &body));
        let reading = list.map(|list| self.take_in(list, log));
        let board = written.map(|written| {
            let id = self.keep_board(written, log);
            let is_behind = log.next_board_step() != BoardStep::Shown;
            Some(Board { comment: id, created: comment.is_none(), is_behind })
        });
        (reading, board)
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
        let created = self.write_until_shown(log).await?;
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
        let board = log.board();
        Ok(board.map(|board| Board {
            comment: board.id,
            created: created == Some(board.id),
            is_behind: false,
        }))
    }

    /// Writes the board until it shows what was read; returns it if this step created it.
    async fn write_until_shown(&mut self, log: &mut Log) -> Result<Option<CommentId>, GitHubError> {
        let (mut created, mut has_waited, mut delays) = (None, false, delays());
        for _ in 0..ROUNDS {
            match log.next_board_step() {
                BoardStep::Shown | BoardStep::Newer => break,
                BoardStep::ReadAgain(unread) => {
                    self.read_changes(log).await?;
                    self.settle(log, unread).await?;
                    match (log.next_board_step(), delays.next()) {
                        (BoardStep::ReadAgain(_), Some(delay)) => tokio::time::sleep(delay).await,
                        // GitHub shows the records as they are: somebody has edited the board.
                        (BoardStep::ReadAgain(overstated), None) => log.accept_as_read(overstated),
                        _ => {}
                    }
                }
                BoardStep::Write { .. } if !has_waited && self.wait_in_crowd(log).await? => has_waited = true,
                // The board of an account that wrote no record is not recognized as one: once is enough.
                BoardStep::Write { comment: None, .. } if created.is_some() => break,
                BoardStep::Write { comment, body } => {
                    has_waited = false;
                    let Some(id) = self.write_board(comment, &body, log).await? else { continue };
                    created = created.or(Some(id).filter(|_| comment.is_none()));
                    if !self.read_behind(id, log).await? {
                        break;
                    }
                }
            }
        }
        Ok(created)
    }

    /// Writes the board; none if a person has deleted it.
    async fn write_board(
        &mut self,
        comment: Option<CommentId>,
        body: &str,
        log: &mut Log,
    ) -> Result<Option<CommentId>, GitHubError> {
        match (self.pen().put(comment, body).await, comment) {
            (Err(error), Some(id)) if error.is_gone() => {
                self.accept_gone(id, log);
                Ok(None)
            }
            (written, _) => Ok(Some(self.keep_board(written?, log))),
        }
    }

    /// Keeps the board in mind that was written just now. Where a person has hidden it, nobody sees what it says.
    fn keep_board(&mut self, written: IssueComment, log: &mut Log) -> CommentId {
        if let Some(reason) = written.hidden_as()
            && !self.warned_of.hidden_board
        {
            self.warned_of.hidden_board = true;
            let reason = Some(reason).filter(|reason| !reason.is_empty());
            let reason = reason.map(|reason| format!(" as \"{reason}\"")).unwrap_or_default();
            let what =
                format!("a person has hidden the board of {}{reason}: {}", self.ticket, written.html_url);
            let help = "to show it again, choose \"Unhide\" in the menu of that comment";
            tracing::warn!("{}", Problem::new(what).help(help));
        }
        self.keep(written.into(), log)
    }

    /// Reads until a list shows the board as this step has written it, or as somebody has written it later;
    /// says whether one does.
    async fn read_behind(&mut self, id: CommentId, log: &mut Log) -> Result<bool, GitHubError> {
        for (lists, delay) in delays().enumerate() {
            self.read_changes(log).await?;
            let Some(written) = self.unlisted.get(&id) else { return Ok(true) };
            // Somebody else wrote it in the same second: before, and the list lags; or after. Who saw two boards
            // may have deleted the later one.
            let is_contested = |board: &Comment| board.id != id || board.updated_at == written.updated_at;
            let is_contested =
                log.board().is_some_and(|board| is_contested(board) && board.body != written.body);
            if is_contested && lists >= CONTESTED_LISTS {
                return Ok(true);
            }
            tracing::debug!("{} is not listed yet as it was written; reading again", self.ticket);
            tokio::time::sleep(delay).await;
        }
        self.unlisted.remove(&id);
        tracing::info!("GitHub does not list yet what was written to {}", self.ticket);
        Ok(false)
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
        self.accept_gone(id, log);
        Ok(())
    }

    /// If many jobs write at this moment, waits for a while and reads again; says whether it did.
    async fn wait_in_crowd(&mut self, log: &mut Log) -> Result<bool, GitHubError> {
        let written = self.unlisted.values().map(|comment| comment.updated_at);
        let newest = written.chain(self.newest_change).max();
        let lately = newest.map_or(0, |newest| log.written_since(newest - LATELY));
        if lately < CROWD {
            return Ok(false);
        }
        let longest = WAIT_FOR_EACH.saturating_mul(u32::try_from(lately).unwrap_or(u32::MAX)).min(WAIT_LIMIT);
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        self.read_changes(log).await?;
        Ok(true)
    }

    /// Finds out what became of records that a board shows and no list does. A record that is not found is
    /// only gone when the lag of a replica has been waited out.
    ///
    /// # Errors
    ///
    /// When GitHub refuses, or nobody can tell whether a record that the board shows may be believed: then the
    /// board may know more, and stays as it is.
    async fn settle(&mut self, log: &mut Log, unread: Vec<CommentId>) -> Result<(), GitHubError> {
        let missing = unread.into_iter().filter(|id| !log.has_record(*id)).take(ASKED_SINGLY);
        let ledger = &*self;
        let asked = missing.map(|id| async move { (id, ledger.comment(id).await) });
        for (id, found) in futures::future::join_all(asked).await {
            let found = found?;
            if let Some(unsettled) = found.as_ref().filter(|found| found.is_unsettled) {
                return Err(GitHubError::Unsettled { url: unsettled.html_url.clone() });
            }
            log.extend(found.map(Comment::from));
            if !log.has_record(id) {
                log.accept_gone(id);
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
