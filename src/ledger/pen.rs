//! The pen: writes the comments of a ticket, each once.

use chrono::{DateTime, Utc};

use crate::github::issues::IssueComment;
use crate::github::once::send_once;
use crate::github::{GitHub, GitHubError};
use crate::names::{CommentId, IssueRef};
use crate::ticket::{Comment, Record};
use crate::trust;

/// The access to a ticket that a writer of comments needs.
#[derive(Debug, Clone)]
pub struct Pen<'a> {
    pub(super) github: &'a GitHub,
    pub(super) ticket: IssueRef,
    /// The time at or after which a new comment of this step changes; `None` before the first reading.
    pub(super) since: Option<DateTime<Utc>>,
}

impl Pen<'_> {
    /// Writes `record`: into `comment`, which holds its earlier state, or as a new comment.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn write(&self, comment: Option<CommentId>, record: &Record) -> Result<Comment, GitHubError> {
        let body = record.render();
        let comment = match self.put(comment, &body).await {
            // A person deleted the comment; its record must not be lost.
            Err(error) if comment.is_some() && error.is_gone() => self.create(&body).await,
            answer => answer,
        };
        comment.map(Comment::from)
    }

    pub(super) async fn put(
        &self,
        comment: Option<CommentId>,
        body: &str,
    ) -> Result<IssueComment, GitHubError> {
        match comment {
            Some(id) => {
                let mut comments = [self.github.edit_comment(&self.ticket, id, body).await?];
                trust::settle(self.github, &self.ticket.repository, &mut comments).await;
                let [comment] = comments;
                Ok(comment)
            }
            None => self.create(body).await,
        }
    }

    /// Creates a comment once: by the marker in its first line it recognizes one that is there already.
    async fn create(&self, body: &str) -> Result<IssueComment, GitHubError> {
        let first_line = body.lines().next().unwrap_or_default();
        let creation = send_once(
            async || self.github.create_comment(&self.ticket, body).await,
            async || {
                let is_same = |comment: &IssueComment| comment.body.lines().next() == Some(first_line);
                let mut comments = self.github.comments(&self.ticket, self.since).await?;
                comments.retain(is_same);
                trust::settle(self.github, &self.ticket.repository, &mut comments).await;
                Ok(comments.into_iter().find(IssueComment::is_trusted))
            },
        );
        let mut comments = [creation.await?];
        trust::settle(self.github, &self.ticket.repository, &mut comments).await;
        let [comment] = comments;
        Ok(comment)
    }
}
