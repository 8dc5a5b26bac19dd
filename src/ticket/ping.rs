//! Pings: a new comment that mentions the people who can act now, once for each attempt of a run and for each gate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::status::Word;
use crate::names::{CommentId, RepoName, RunId, TargetName};

/// An event for which people are pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingEvent {
    /// A target failed, was cancelled or could not be started.
    Failure,
    /// A run waits for a review, or a target for a gate.
    Review,
    /// A target has not changed for long.
    Stuck,
    /// Everything is released.
    Done,
}

impl PingEvent {
    /// Every event, in the order in which the contract lists them.
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

/// The identity of a ping: no two pings of the same identity are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The event.
    #[serde(rename = "for")]
    pub moment: Word<PingEvent>,
    /// The target's name; `None` if the ping is about a gate or the whole release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The repository of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepoName>,
    /// Its run; the hub's run if the target could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The environments that wait for a review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// The attempt of the run, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The gate that waits for a go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GatePing>,
}

/// A gate whose approvers are pinged: once, and once more when an approval has lapsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePing {
    /// Its name.
    pub name: TargetName,
    /// The comments with the approvals that had lapsed at that time.
    #[serde(rename = "lapsed", default, skip_serializing_if = "Vec::is_empty")]
    pub lapsed_approvals: Vec<CommentId>,
}

impl GatePing {
    /// Whether a ping for this one covers `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.name == other.name
            && other.lapsed_approvals.iter().all(|comment| self.lapsed_approvals.contains(comment))
    }
}

/// The events for which people are pinged.
pub type PingEvents = BTreeSet<PingEvent>;
