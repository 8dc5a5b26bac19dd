//! The watch: a hub job's part in unfinished runs.
//!
//! A job may write several records, whose sequence numbers count the writes of the job: the newest record decides
//! ([`super::followers`]).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::writer::Writer;
use crate::names::{RunId, TargetName, number};

/// A hub job's part in unfinished runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Whether the job follows the runs until they end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
    /// The targets that have not changed for long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<Stuck>,
    /// The runs that the job has asked GitHub to cancel.
    #[serde(rename = "cancelled", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cancelled_runs: BTreeSet<RunId>,
    /// Other hub jobs that have ended although their records say that they follow the runs.
    #[serde(rename = "ended", default, skip_serializing_if = "Vec::is_empty")]
    pub ended_jobs: Vec<Writer>,
}

/// A target that has not changed for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The target's name.
    pub target: TargetName,
    /// Its run, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The time of its last change, by GitHub's clock.
    pub since: DateTime<Utc>,
    /// The number of reports of its run at that time: the next report ends the state.
    #[serde(default, skip_serializing_if = "number::is_zero", deserialize_with = "number::deserialize")]
    pub reports: u64,
}

impl Watch {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}
