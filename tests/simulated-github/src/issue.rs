//! Issues, comments and labels, as values that a test can look at.

use chrono::{DateTime, Utc};

/// An issue at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// Its repository, `owner/name`.
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
    /// The names of its labels, the oldest first.
    pub labels: Vec<String>,
    /// The logins of its assignees, in the order of their assignment.
    pub assignees: Vec<String>,
    /// The login of its author.
    pub author: String,
    /// The author's association with the repository: `OWNER`, `MEMBER`, `COLLABORATOR` or `NONE`.
    pub association: String,
    /// Whether the conversation is locked.
    pub is_locked: bool,
    /// The reason of the lock, if there is one.
    pub lock_reason: Option<String>,
    /// The id of the issue that this one duplicates, if it was closed with that id.
    pub duplicate_of: Option<u64>,
    /// Whether it is a pull request. In the API, a pull request is an issue, too.
    pub is_pull_request: bool,
    /// The comments, by ascending id.
    pub comments: Vec<Comment>,
    /// The reactions to it, the oldest first.
    pub reactions: Vec<Reaction>,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change of it or of anything on it.
    pub updated_at: DateTime<Utc>,
    /// The time at which it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// The login that closed it.
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
    /// The login of its author.
    pub author: String,
    /// `eyes`, `rocket`, `-1` and so on.
    pub content: String,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
}

/// A comment on an issue at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comment {
    /// Its id, unique in the world and growing.
    pub id: u64,
    /// The login of its author.
    pub author: String,
    /// The author's association with the repository: `OWNER`, `MEMBER`, `COLLABORATOR` or `NONE`.
    pub association: String,
    /// The Markdown text.
    pub body: String,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of its last edit.
    pub updated_at: DateTime<Utc>,
    /// Whether it is pinned to the top of the issue.
    pub is_pinned: bool,
    /// The time at which it was pinned.
    pub pinned_at: Option<DateTime<Utc>>,
    /// The login that pinned it.
    pub pinned_by: Option<String>,
    /// The reason why a person has hidden it: `outdated`, `off-topic` and so on. `None` if it is visible.
    pub hide_reason: Option<String>,
    /// The reactions to it, the oldest first.
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
        self.is_pinned = true;
        self.pinned_at = Some(at);
        self.pinned_by = Some(by.into());
    }

    pub(crate) fn unpin(&mut self) {
        self.is_pinned = false;
        self.pinned_at = None;
        self.pinned_by = None;
    }
}

/// A label of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

/// The longest text of an issue or comment, in characters.
pub(crate) const LONGEST_BODY: usize = 65_536;

/// The longest name of a label, in characters.
const LONGEST_LABEL: usize = 50;

pub(crate) fn is_long_label(name: &str) -> bool {
    name.chars().count() > LONGEST_LABEL
}

/// The largest number of comments on an issue.
pub(crate) const MOST_COMMENTS: usize = 2_500;

pub(crate) fn too_long(body: &str) -> bool {
    body.chars().count() > LONGEST_BODY
}

/// Whether two names of labels, or two logins, are equal: GitHub ignores case.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
