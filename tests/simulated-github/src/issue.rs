//! Issues, comments and labels, as values a test can look at.

use chrono::{DateTime, Utc};

/// An issue at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The repository it is in, `owner/name`.
    pub repository: String,
    /// Its number in that repository.
    pub number: u64,
    /// Its id, unique in the world.
    pub id: u64,
    /// The title.
    pub title: String,
    /// The Markdown text. Empty if there is none.
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// `completed`, `not_planned`, `duplicate` or `reopened`.
    pub state_reason: Option<String>,
    /// Names of labels, in the order in which they were added.
    pub labels: Vec<String>,
    /// Logins, in the order in which they were assigned.
    pub assignees: Vec<String>,
    /// The login of who opened it.
    pub author: String,
    /// What the author is to the repository: `OWNER`, `MEMBER`, `COLLABORATOR` or `NONE`.
    pub association: String,
    /// Whether the conversation is locked.
    pub locked: bool,
    /// Why it is locked, if a reason was given.
    pub lock_reason: Option<String>,
    /// The id of the issue that this one repeats, if it was closed with one.
    pub duplicate_of: Option<u64>,
    /// Whether it is a pull request, which to the API is an issue too.
    pub is_pull_request: bool,
    /// The comments, by ascending id.
    pub comments: Vec<Comment>,
    /// The reactions to it, in the order in which they were added.
    pub reactions: Vec<Reaction>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it, or anything on it, last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// Who closed it.
    pub closed_by: Option<String>,
}

impl Issue {
    /// Whether the issue is open.
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// The comment with this id.
    pub fn comment(&self, id: u64) -> Option<&Comment> {
        self.comments.iter().find(|comment| comment.id == id)
    }

    pub(crate) fn comment_mut(&mut self, id: u64) -> Option<&mut Comment> {
        self.comments.iter_mut().find(|comment| comment.id == id)
    }

    /// The reactions to it, or to one of its comments.
    pub(crate) fn reactions_mut(&mut self, comment: Option<u64>) -> Option<&mut Vec<Reaction>> {
        match comment {
            None => Some(&mut self.reactions),
            Some(id) => Some(&mut self.comment_mut(id)?.reactions),
        }
    }

    pub(crate) fn close(&mut self, reason: &str, by: &str, at: DateTime<Utc>) {
        self.state = "closed".into();
        self.state_reason = Some(reason.into());
        self.closed_at = Some(at);
        self.closed_by = Some(by.into());
        self.updated_at = at;
    }

    pub(crate) fn reopen(&mut self, at: DateTime<Utc>) {
        self.state = "open".into();
        self.state_reason = Some("reopened".into());
        self.duplicate_of = None;
        self.closed_at = None;
        self.closed_by = None;
        self.updated_at = at;
    }
}

/// A reaction to an issue or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reaction {
    /// Its id, unique in the world and growing.
    pub id: u64,
    /// The login of who reacted.
    pub author: String,
    /// `eyes`, `rocket`, `-1` and so on.
    pub content: String,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// A comment on an issue at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comment {
    /// Its id, unique in the world and growing.
    pub id: u64,
    /// The login of who wrote it.
    pub author: String,
    /// What the author is to the repository: `OWNER`, `MEMBER`, `COLLABORATOR` or `NONE`.
    pub association: String,
    /// The Markdown text.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was last edited.
    pub updated_at: DateTime<Utc>,
    /// Whether it is pinned to the top of the issue.
    pub pinned: bool,
    /// When it was pinned.
    pub pinned_at: Option<DateTime<Utc>>,
    /// Who pinned it.
    pub pinned_by: Option<String>,
    /// Why it is hidden, if a person has hidden it: `outdated`, `off-topic` and so on.
    pub minimized: Option<String>,
    /// The reactions to it, in the order in which they were added.
    pub reactions: Vec<Reaction>,
    /// The text before the last edit.
    pub earlier_body: Option<String>,
}

impl Comment {
    pub(crate) fn edit(&mut self, body: &str, at: DateTime<Utc>) {
        self.earlier_body = Some(std::mem::replace(&mut self.body, body.into()));
        self.updated_at = at;
    }

    pub(crate) fn pin(&mut self, by: &str, at: DateTime<Utc>) {
        self.pinned = true;
        self.pinned_at = Some(at);
        self.pinned_by = Some(by.into());
    }

    pub(crate) fn unpin(&mut self) {
        self.pinned = false;
        self.pinned_at = None;
        self.pinned_by = None;
    }
}

/// A label that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

/// What GitHub accepts as the text of an issue or comment, in characters.
pub(crate) const LONGEST_BODY: usize = 65_536;

/// What GitHub accepts as the name of a label, in characters.
const LONGEST_LABEL: usize = 50;

pub(crate) fn is_long_label(name: &str) -> bool {
    name.chars().count() > LONGEST_LABEL
}

/// How many comments GitHub lets an issue have.
pub(crate) const MOST_COMMENTS: usize = 2_500;

pub(crate) fn too_long(body: &str) -> bool {
    body.chars().count() > LONGEST_BODY
}

/// Whether two names of labels, or two logins, are the same to GitHub.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
