//! Verifications: what a hub job has read of GitHub about what a target's run has made, before the target counts as
//! released.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::outputs::Outputs;
use super::text;
use crate::names::{RunId, TargetName};

/// What was read about an attempt of a target's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The target's name.
    pub target: TargetName,
    /// Its run.
    pub run: RunId,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The values of the release that the run has published.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// The checks; none where the targets file asks for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// When it was read, by the hub job's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One check, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The check: [`RELEASE`], [`IMMUTABLE`] or [`ATTESTATION`].
    pub name: String,
    /// What was found, where the check passed: `release v1.4.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Why it failed; none if it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What to do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The checks, in the words of the targets file.
pub const RELEASE: &str = "release";
/// As [`RELEASE`].
pub const IMMUTABLE: &str = "immutable";
/// As [`RELEASE`].
pub const ATTESTATION: &str = "attestation";

/// As much of a check is recorded, in characters: a record has those of many targets.
const TEXT_LIMIT: usize = 300;

impl Check {
    /// A check that passed.
    #[must_use]
    pub fn passed(name: &str, found: &str) -> Self {
        Self { name: name.to_owned(), found: Some(brief(found)), failure: None, help: None }
    }

    /// A check that failed, with what to do about it.
    #[must_use]
    pub fn failed(name: &str, failure: &str, help: &str) -> Self {
        Self { name: name.to_owned(), found: None, failure: Some(brief(failure)), help: Some(brief(help)) }
    }
}

fn brief(words: &str) -> String {
    text::cut(text::first_line(words), TEXT_LIMIT)
}

impl Verification {
    /// The first check that failed.
    #[must_use]
    pub fn failed_check(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.failure.is_some())
    }

    /// Whether it says how these checks came out: all of them, or that one of its own failed.
    #[must_use]
    pub fn settles(&self, checks: &BTreeSet<&'static str>) -> bool {
        let has = |name: &&str| self.checks.iter().any(|check| check.name == **name);
        self.failed_check().is_some() || checks.iter().all(has)
    }

    /// Whether it says the same, whenever that was read.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        Self { at: other.at, other: other.other.clone(), ..self.clone() } == *other
    }

    /// The run and attempt that it is about.
    #[must_use]
    pub fn is_about(&self, run: RunId, attempt: u32) -> bool {
        (self.run, self.attempt) == (run, attempt)
    }

    /// What it comes to, in Markdown: `verified: release v1.4.1, immutable`.
    pub(super) fn line(&self) -> String {
        if let Some(Check { name, failure: Some(failure), .. }) = self.failed_check() {
            return format!("❌ {}: {}", text::inline(name), text::inline(failure));
        }
        let found: Vec<String> =
            self.checks.iter().filter_map(|check| check.found.as_deref()).map(text::inline).collect();
        match (found.is_empty(), self.outputs.is_empty()) {
            (false, _) => format!("🔎 {}", found.join(", ")),
            (true, false) => "🔎 its release was read".to_owned(),
            (true, true) => "🔎 nothing is verified".to_owned(),
        }
    }
}
