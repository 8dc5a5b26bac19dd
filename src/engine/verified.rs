//! How far the verification of a target has come in this step.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::step::RunOf;
use crate::names::RunId;
use crate::ticket::{Check, Outputs, Verification};

/// How far the verification of an attempt of a run has come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verifying {
    pub(super) run: RunId,
    pub(super) attempt: u32,
    /// When the first look began.
    pub(super) since: DateTime<Utc>,
    /// So many looks were not good.
    pub(super) looks: usize,
    /// The values of the release that the run has published, once it was found.
    pub(super) published: Option<Outputs>,
    /// What came of it, once that is settled.
    pub(super) settled: Option<Verification>,
    /// GitHub has not answered: this job does not ask again.
    pub(super) is_given_up: bool,
}

impl Verifying {
    pub(super) fn new(run: RunId, attempt: u32, now: DateTime<Utc>) -> Self {
        Self { run, attempt, since: now, looks: 0, published: None, settled: None, is_given_up: false }
    }

    pub(super) fn is_over(&self) -> bool {
        self.settled.is_some() || self.is_given_up
    }

    pub(super) fn settle(&mut self, of: &RunOf, outputs: Outputs, checks: Vec<Check>, now: DateTime<Utc>) {
        self.settled = Some(Verification {
            target: of.target.clone(),
            run: of.run,
            attempt: self.attempt,
            outputs,
            checks,
            at: now,
            other: Map::new(),
        });
    }
}
