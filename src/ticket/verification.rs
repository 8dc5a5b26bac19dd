//! Verifications: a hub job's checks of the results of a target's run on GitHub, before the target counts as released.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::outputs::Outputs;
use super::text;
use crate::names::{RunId, TargetName};

/// The verification of one attempt of a target's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The target's name.
    pub target: TargetName,
    /// Its run.
    pub run: RunId,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The values of the GitHub release that the run has published.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// The checks; empty if the targets file has none for this target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// The time of the verification by the hub job's clock: displayed, never compared.
    pub at: DateTime<Utc>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One check with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The check: [`RELEASE`], [`IMMUTABLE`] or [`ATTESTATION`].
    pub name: String,
    /// The finding, if the check passed: `release v1.4.1`.
    #[serde(rename = "found", default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The failure; `None` if the check passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Help with the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The word of the targets file for the check that a release exists.
pub const RELEASE: &str = "release";
/// The word of the targets file for the check that the release is immutable.
pub const IMMUTABLE: &str = "immutable";
/// The word of the targets file for the check that a digest has an attestation.
pub const ATTESTATION: &str = "attestation";

/// The most characters of each text of a check: a record has the checks of many targets.
const TEXT_LIMIT: usize = 300;

impl Check {
    /// A check that passed.
    #[must_use]
    pub fn success(name: &str, finding: &str) -> Self {
        Self { name: name.to_owned(), finding: Some(brief(finding)), failure: None, help: None }
    }

    /// A check that failed, with help.
    #[must_use]
    pub fn failure(name: &str, failure: &str, help: &str) -> Self {
        Self { name: name.to_owned(), finding: None, failure: Some(brief(failure)), help: Some(brief(help)) }
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

    /// Whether these checks are settled: all of them have a result, or one check failed.
    #[must_use]
    pub fn settles(&self, checks: &BTreeSet<&'static str>) -> bool {
        let has = |name: &&str| self.checks.iter().any(|check| check.name == **name);
        self.failed_check().is_some() || checks.iter().all(has)
    }

    /// Whether both say the same, at any time.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        Self { at: other.at, other: other.other.clone(), ..self.clone() } == *other
    }

    /// Whether it is about this attempt of this run.
    #[must_use]
    pub fn is_about(&self, run: RunId, attempt: u32) -> bool {
        (self.run, self.attempt) == (run, attempt)
    }

    /// The result in Markdown: `🔎 release v1.4.1, immutable`.
    pub(super) fn line(&self) -> String {
        if let Some(Check { name, failure: Some(failure), .. }) = self.failed_check() {
            return format!("❌ {}: {}", text::inline(name), text::inline(failure));
        }
        let findings: Vec<String> =
            self.checks.iter().filter_map(|check| check.finding.as_deref()).map(text::inline).collect();
        match (findings.is_empty(), self.outputs.is_empty()) {
            (false, _) => format!("🔎 {}", findings.join(", ")),
            (true, false) => "🔎 its release was read".to_owned(),
            (true, true) => "🔎 nothing is verified".to_owned(),
        }
    }
}
