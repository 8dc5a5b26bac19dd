//! Pings: a new comment that mentions whoever can do something now, once for each attempt of a run and for each gate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::status::Word;
use crate::names::{CommentId, RepoName, RunId, TargetName};

/// When somebody is pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingFor {
    /// A target failed, was cancelled or could not be started.
    Failure,
    /// A run waits for a review, or a target for a gate.
    Review,
    /// A target has not changed for long.
    Stuck,
    /// Everything is released.
    Done,
}

impl PingFor {
    /// Every one, in the order in which the contract lists them.
    pub const ALL: [Self; 4] = [Self::Failure, Self::Review, Self::Stuck, Self::Done];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Review => "review",
            Self::Stuck => "stuck",
            Self::Done => "done",
        }
    }
}

/// What makes a ping the same as another one: nobody is pinged for it twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// When it is sent.
    #[serde(rename = "for")]
    pub moment: Word<PingFor>,
    /// The target's name; none where it is about the whole release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// Where its run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepoName>,
    /// Its run: of a target that could not be started, the hub's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The environments that a review is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// The attempt of the run, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The gate that waits for a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GatePing>,
}

/// A gate whose approvers are pinged: once, and once more when an approval has lapsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePing {
    /// Its name.
    pub name: TargetName,
    /// The comments with the approvals that have lapsed by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lapsed: Vec<CommentId>,
}

impl GatePing {
    /// Whether a ping that was sent for this covers `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.name == other.name && other.lapsed.iter().all(|comment| self.lapsed.contains(comment))
    }
}

/// For what somebody is to be pinged; none: for nothing.
pub type PingsFor = BTreeSet<PingFor>;
