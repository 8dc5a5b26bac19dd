//! The pen: writes the comments of a ticket, each once.

use chrono::{DateTime, Utc};

use crate::believe;
use crate::github::issues::IssueComment;
use crate::github::once::sent_once;
use crate::github::{GitHub, GitHubError};
use crate::names::{CommentId, IssueRef};
use crate::ticket::{Comment, Record};

/// What it takes to write a comment of the ticket.
#[derive(Debug, Clone)]
pub struct Pen<'a> {
    pub(super) github: &'a GitHub,
    pub(super) ticket: IssueRef,
    /// A comment that was created just now changed at this time or later.
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
        let written = match self.put(comment, &body).await {
            // A person deleted the record; what it says must not be lost with it.
            Err(error) if comment.is_some() && error.is_gone() => self.create(&body).await,
            written => written,
        };
        written.map(Comment::from)
    }

    pub(super) async fn put(
        &self,
        comment: Option<CommentId>,
        body: &str,
    ) -> Result<IssueComment, GitHubError> {
        match comment {
            Some(id) => {
                let mut edited = [self.github.edit_comment(&self.ticket, id, body).await?];
                believe::settle(self.github, &self.ticket.repository, &mut edited).await;
                let [edited] = edited;
                Ok(edited)
            }
            None => self.create(body).await,
        }
    }

    /// Creates a comment once: the marker in its first line tells whether it is there already.
    async fn create(&self, body: &str) -> Result<IssueComment, GitHubError> {
        let first_line = body.lines().next().unwrap_or_default();
        let created = sent_once(
            async || self.github.create_comment(&self.ticket, body).await,
            async || {
                let is_same = |comment: &IssueComment| comment.body.lines().next() == Some(first_line);
                let mut found = self.github.comments(&self.ticket, self.since).await?;
                found.retain(is_same);
                believe::settle(self.github, &self.ticket.repository, &mut found).await;
                Ok(found.into_iter().find(IssueComment::is_trusted))
            },
        );
        let mut created = [created.await?];
        believe::settle(self.github, &self.ticket.repository, &mut created).await;
        let [created] = created;
        Ok(created)
    }
}
