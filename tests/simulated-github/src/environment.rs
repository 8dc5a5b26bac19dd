//! Environments that a job waits for before it begins: for a review, a wait timer, or another rule.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// An environment, with the rules that its jobs wait for.
///
/// Build one with [`Environment::new`]. An environment without reviewers and without a wait timer has a custom
/// protection rule, which the API does not show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The people who may approve: logins, and teams as `org/team`.
    pub reviewers: Vec<String>,
    /// The minutes that a job waits; 0 for no timer.
    pub wait_timer: u32,
}

impl Environment {
    /// An environment with a custom protection rule.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The same environment, with one more reviewer: a login, or a team as `org/team`.
    pub fn reviewer(mut self, name: impl Into<String>) -> Self {
        self.reviewers.push(name.into());
        self
    }

    /// The same environment, with a wait timer.
    pub fn wait_timer(self, minutes: u32) -> Self {
        Self { wait_timer: minutes, ..self }
    }

    /// Whether the wait timer has ended for a job that waits since `since`.
    pub(crate) fn is_over(&self, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let timer = TimeDelta::minutes(self.wait_timer.into());
        self.wait_timer == 0 || since.is_some_and(|since| since + timer <= now)
    }

    /// Whether `login` may approve.
    pub(crate) fn is_reviewed_by(&self, login: &str) -> bool {
        self.reviewers.iter().any(|reviewer| reviewer.eq_ignore_ascii_case(login))
    }
}
