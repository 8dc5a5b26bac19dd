//! The watch: what a hub job does about runs that go on.
//!
//! A job writes several records, and their sequence numbers count the writes of the job, so of all of them the
//! newest one decides ([`super::followers`]).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::writer::Writer;
use crate::names::{RunId, TargetName, number};

/// What a hub job does about runs that go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Whether it follows them until they end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
    /// The targets that have not changed for long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<Stuck>,
    /// The runs that it has asked GitHub to cancel.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cancelled: BTreeSet<RunId>,
    /// The other hub jobs that have ended although their records say that they follow the runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Writer>,
}

/// A target that has not changed for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The target's name.
    pub target: TargetName,
    /// Its run, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// When it changed last, by GitHub's clock.
    pub since: DateTime<Utc>,
    /// How often its run has been reported by then: it is not stuck any more after the next report.
    #[serde(default, skip_serializing_if = "number::is_zero", deserialize_with = "number::deserialize")]
    pub reports: u64,
}

impl Watch {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}
