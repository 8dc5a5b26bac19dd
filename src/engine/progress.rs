//! The progress of a target's verification in this step.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::step::TargetRun;
use crate::names::RunId;
use crate::ticket::{Check, Outputs, Verification};

/// The progress of the verification of one attempt of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VerificationProgress {
    pub(super) run: RunId,
    pub(super) attempt: u32,
    /// The time of the first look.
    pub(super) since: DateTime<Utc>,
    /// The number of looks at which a check failed.
    pub(super) looks: usize,
    /// The values of the release that the run has published, once GitHub shows it.
    pub(super) release_outputs: Option<Outputs>,
    /// The result, once the checks are good or have failed often enough.
    pub(super) result: Option<Verification>,
    /// Whether this job has stopped asking, because GitHub did not answer.
    pub(super) is_given_up: bool,
}

impl VerificationProgress {
    pub(super) fn new(run: RunId, attempt: u32, now: DateTime<Utc>) -> Self {
        Self { run, attempt, since: now, looks: 0, release_outputs: None, result: None, is_given_up: false }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.result.is_some() || self.is_given_up
    }

    pub(super) fn settle(
        &mut self,
        of: &TargetRun,
        outputs: Outputs,
        checks: Vec<Check>,
        now: DateTime<Utc>,
    ) {
        self.result = Some(Verification {
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
