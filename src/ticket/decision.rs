//! Decisions: the commands that people gave by comments on the ticket, as records.
//!
//! A decision is written once, by the hub job that read the comment and asked GitHub for its author's role. The id of
//! that comment is the decision's key: the higher id is the newer decision, and a command acts once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::gate::Freeze;
use super::status::Word;
use super::writer::Writer;
use crate::names::{CommentId, GitRef, Login, RepoName, RunId, TargetName, number};

/// The command of a person: the word behind `/release`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Answer with the state of the release.
    Status,
    /// Answer with the commands.
    Help,
    /// Approve gates.
    Go,
    /// Refuse gates.
    NoGo,
    /// Start failed and cancelled targets again.
    Retry,
    /// Cancel runs.
    Cancel,
    /// Count targets as ended.
    Skip,
    /// Start no target until somebody resumes it.
    Hold,
    /// End a hold or a skip.
    Resume,
    /// Start targets within the present freeze.
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

    /// The word of the contract, as people type it.
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

/// The outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It counts.
    Accepted,
    /// It never counts.
    Refused,
    /// The job could not go on; a re-run of the job reads the command again.
    Failed,
}

/// The author of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The login at the time of the command.
    pub login: Login,
    /// GitHub's id of the account, which a new login does not change.
    #[serde(deserialize_with = "number::deserialize")]
    pub id: u64,
    /// The person's role in the hub when the hub job read the command.
    pub role: String,
}

/// The commit of a target's ref when a gate was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedCommit {
    /// The target's name.
    pub target: TargetName,
    /// The repository in which it runs.
    pub repository: RepoName,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: GitRef,
    /// The commit; `None` if GitHub did not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
}

/// A failed target that is started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedStart {
    /// The target's name.
    pub target: TargetName,
    /// The comment with the claim that started its failed run; 0 if there is none.
    pub after: CommentId,
}

/// A run that is cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledRun {
    /// The target's name.
    pub target: TargetName,
    /// The repository in which it runs.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// The attempt that was in progress, from 1.
    pub attempt: u32,
}

/// A command that a person gave by a comment, with its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The hub job that writes the record.
    pub by: Writer,
    /// The sequence number: how often the record was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The writer's run in the browser.
    pub run_url: String,
    /// The verb; `None` if the text was not a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Word<Verb>>,
    /// The targets or gates that it is about; empty: the whole ticket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<TargetName>,
    /// The reason, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The author of the command.
    pub who: Person,
    /// The comment with the command: a newer decision has a higher id.
    pub comment: CommentId,
    /// That comment in the browser.
    pub comment_url: String,
    /// Whether it counts.
    pub outcome: Word<Outcome>,
    /// The answer to the person, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The commits that a go or a no-go is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<ApprovedCommit>,
    /// The starts that a retry repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<RetriedStart>,
    /// The runs that it cancels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancels: Vec<CancelledRun>,
    /// The freezes that it overrides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// The time at which the hub job read the command, by the job's own clock: for people, never compared.
    pub at: DateTime<Utc>,
    /// Fields that a newer release wrote.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Decision {
    /// Whether it has words of a newer release, which this one does not know.
    #[must_use]
    pub fn has_newer_words(&self) -> bool {
        let is_newer = self.command.as_ref().is_some_and(Word::is_newer);
        self.outcome.is_newer() || is_newer && self.outcome == Outcome::Accepted
    }

    /// The verb; `None` also if only a newer release knows the word.
    #[must_use]
    pub fn verb(&self) -> Option<Verb> {
        self.command.as_ref().and_then(Word::as_known).copied()
    }

    /// Whether it counts and has this verb.
    #[must_use]
    pub fn asks_for(&self, verb: Verb) -> bool {
        self.outcome == Outcome::Accepted && self.verb() == Some(verb)
    }
}
