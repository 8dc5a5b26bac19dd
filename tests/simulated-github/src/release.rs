//! Releases of repositories, as values that a test can look at and change.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A release of a repository.
///
/// Build one with [`Release::new`] and change the fields that matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Release {
    /// Its id. Zero before the world gives it one.
    pub id: u64,
    /// The name of its tag.
    pub tag: String,
    /// The branch or commit of a new tag; blank: the default branch.
    pub target: String,
    /// Its title; blank: the tag.
    pub name: String,
    /// Its notes.
    pub body: String,
    /// Whether it is a draft, which is not published.
    pub draft: bool,
    /// Whether it is marked as not ready for production.
    pub prerelease: bool,
    /// Whether its tag and files are locked.
    pub immutable: bool,
    /// The digests of its files, by their names.
    pub assets: Vec<(String, String)>,
    /// The login of its author; blank: the repository's owner.
    pub author: String,
    /// The time of its creation. The world fills it in.
    pub created_at: Option<DateTime<Utc>>,
    /// The time of its publication. The world fills it in, except for a draft.
    pub published_at: Option<DateTime<Utc>>,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            id: 0,
            tag: "v1.0.0".into(),
            target: String::new(),
            name: String::new(),
            body: String::new(),
            draft: false,
            prerelease: false,
            immutable: false,
            assets: Vec::new(),
            author: String::new(),
            created_at: None,
            published_at: None,
        }
    }
}

impl Release {
    /// A published release of a tag, without notes.
    pub fn new(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), ..Self::default() }
    }

    /// The same release, at a branch or commit.
    pub fn at(self, target: impl Into<String>) -> Self {
        Self { target: target.into(), ..self }
    }

    /// The same release, with notes.
    pub fn notes(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The same release, not published.
    pub fn draft(self) -> Self {
        Self { draft: true, ..self }
    }

    /// The same release, locked.
    pub fn immutable(self) -> Self {
        Self { immutable: true, ..self }
    }

    /// The same release, with one more file.
    pub fn asset(mut self, name: impl Into<String>, digest: impl Into<String>) -> Self {
        self.assets.push((name.into(), digest.into()));
        self
    }
}
