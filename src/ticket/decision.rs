//! Decisions: what people asked for by a comment on the ticket, as records.
//!
//! A decision is written once, by the hub job that read the comment and asked GitHub what its author may do. The id of
//! that comment is its key: it says which decision is newer, and that a command acts once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::gate::Freeze;
use super::status::Word;
use super::writer::Writer;
use crate::names::{CommentId, GitRef, Login, RepoName, RunId, TargetName, number};

/// What a person asks for: the word behind `/release`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// How the release stands.
    Status,
    /// Which commands there are.
    Help,
    /// Gates may be passed.
    Go,
    /// Gates must not be passed.
    NoGo,
    /// Start again what failed or was cancelled.
    Retry,
    /// Cancel runs.
    Cancel,
    /// Count as over.
    Skip,
    /// Start nothing until resumed.
    Hold,
    /// Start again what is held.
    Resume,
    /// Start within the present freeze.
    OverrideFreeze,
}

impl Verb {
    /// Every verb, in the order in which the contract lists them.
    pub const ALL: [Self; 10] = [
        Self::Status,
        Self::Help,
        Self::Go,
        Self::NoGo,
        Self::Retry,
        Self::Cancel,
        Self::Skip,
        Self::Hold,
        Self::Resume,
        Self::OverrideFreeze,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Help => "help",
            Self::Go => "go",
            Self::NoGo => "no-go",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Skip => "skip",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::OverrideFreeze => "override-freeze",
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It counts.
    Accepted,
    /// It counts for nothing, whatever happens later.
    Refused,
    /// The job could not go on; when it is run again, the command is read again.
    Failed,
}

/// Who gave a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The login at that time.
    pub login: Login,
    /// GitHub's id of the account, which a new login does not change.
    #[serde(deserialize_with = "number::deserialize")]
    pub id: u64,
    /// What GitHub let this person do in the hub when the command was read.
    pub role: String,
}

/// The commit of a target's ref when a gate was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedCommit {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: GitRef,
    /// The commit; none if GitHub did not say which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
}

/// A failed target that is started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedStart {
    /// The target's name.
    pub target: TargetName,
    /// The claim that started its failed run; 0 if there is none.
    pub after: CommentId,
}

/// A run that is cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledRun {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// The attempt that was under way, from 1.
    pub attempt: u32,
}

/// A command that a person gave by a comment, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Who writes the record.
    pub by: Writer,
    /// How often it was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The writer's run in the browser.
    pub run_url: String,
    /// The verb; none if the command was not understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Word<Verb>>,
    /// The targets or gates that it is about; none: the whole ticket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<TargetName>,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked.
    pub who: Person,
    /// The comment with the command: newer decisions have higher ones.
    pub comment: CommentId,
    /// That comment in the browser.
    pub comment_url: String,
    /// What became of it.
    pub outcome: Word<Outcome>,
    /// What the person is answered, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// For gates: the commits that the word is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<ApprovedCommit>,
    /// What is started again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<RetriedStart>,
    /// What is cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancels: Vec<CancelledRun>,
    /// The freezes that are overridden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// When the command was read, by the hub job's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Decision {
    /// Whether a newer release wrote words into it that this one does not know.
    #[must_use]
    pub fn has_newer_words(&self) -> bool {
        let is_newer = self.command.as_ref().is_some_and(Word::is_newer);
        self.outcome.is_newer() || is_newer && self.outcome == Outcome::Accepted
    }

    /// The verb, as far as this release knows the word.
    #[must_use]
    pub fn verb(&self) -> Option<Verb> {
        self.command.as_ref().and_then(Word::known).copied()
    }

    /// Whether it counts, and is about this verb.
    #[must_use]
    pub fn asks_for(&self, verb: Verb) -> bool {
        self.outcome == Outcome::Accepted && self.verb() == Some(verb)
    }
}
