//! The release's record: what a whole release came to, written once, when everything is released.
//!
//! Times and notes are GitHub's word ([`Survey`]), the rest is what the ticket knows. The comment's marker keeps what
//! later releases read (the versions, and how long it took), and the comment's text and the file of `record-path`
//! say all of it. Of several comments with such a record the one with the lowest id counts.

mod gantt;
mod page;
pub mod schema;
pub mod times;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::decision::Decision;
use super::marker;
use super::text;
use super::writer::Writer;
use crate::names::{RepoName, RunId, TargetName, number};
pub use times::{Period, Phase};

/// The version of the file's format, and the newest that this release knows.
const FORMAT: u32 = 1;

/// So many earlier releases stand beside this one.
const EARLIER: usize = 5;

/// The most characters of the marker: it leaves room for the table and the decisions.
const MARKER_LIMIT: usize = 24_000;

/// The most characters of a release's notes that are kept.
pub const NOTES_LIMIT: usize = 20_000;

/// The record of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Who writes it.
    pub by: Writer,
    /// How often it was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The writer's run in the browser.
    pub run_url: String,
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The ticket in the browser.
    pub ticket_url: String,
    /// When its first job was created, by GitHub's clock.
    pub started_at: DateTime<Utc>,
    /// When its last job ended, by GitHub's clock.
    pub ended_at: DateTime<Utc>,
    /// What was released.
    pub targets: Vec<Released>,
    /// How long the gates waited for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateWait>,
    /// The first failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_first: Option<Failed>,
    /// The releases before this one, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// What people decided: the ticket has a record of each.
    #[serde(skip)]
    pub decisions: Vec<Decision>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A target that is released.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Released {
    /// The target's name.
    pub target: String,
    /// Where it ran.
    pub repository: String,
    /// The version that it gave back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The tag of its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The commit that its run released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The run that released it; none where the ticket does not know it, or somebody skipped the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The run in the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// How often it was tried, over all of its runs.
    pub attempts: u32,
    /// Whether somebody skipped it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Its release in the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_url: Option<String>,
    /// The notes of its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// What has changed since the release before, in the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare_url: Option<String>,
    /// How many commits that are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// What it did when, in the newest attempt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<Period>,
    /// What GitHub did not show, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// How long a gate waited for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateWait {
    /// The gate's name.
    pub name: String,
    /// When everything before it was released.
    pub from: DateTime<Utc>,
    /// When the last go was said.
    pub to: DateTime<Utc>,
}

/// The first failure of a release, which is mended by now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The target's name.
    pub target: String,
    /// What failed.
    pub what: String,
    /// That in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it failed.
    pub at: DateTime<Utc>,
    /// When the target was released after all.
    pub mended_at: DateTime<Utc>,
}

/// A release before this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Its ticket in the browser.
    pub ticket_url: String,
    /// How long it took.
    pub seconds: i64,
}

/// What GitHub says of a target that is released.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// What its run did when.
    pub periods: Vec<Period>,
    /// The commit that its run released.
    pub commit: Option<String>,
    /// The first job that failed: its name, its page, and when.
    pub failure: Option<(String, Option<String>, DateTime<Utc>)>,
    /// Its release: the tag, the page and the notes.
    pub release: Option<(String, String, String)>,
    /// What has changed since the release before: the page, and how many commits.
    pub compared: Option<(String, u64)>,
    /// What GitHub does not show, and why.
    pub left_out: Option<String>,
}

impl Release {
    /// How long it took.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        (self.ended_at - self.started_at).num_seconds().max(0)
    }

    /// Whether it is a record of the same runs and attempts: then it says the same.
    #[must_use]
    pub fn is_of_the_runs_of(&self, release: &Self) -> bool {
        self.runs() == release.in_marker().runs()
    }

    fn runs(&self) -> BTreeMap<&str, (Option<RunId>, u32)> {
        self.targets.iter().map(|target| (target.target.as_str(), (target.run, target.attempts))).collect()
    }

    /// What a target's next release is compared with: its tag, else its commit.
    #[must_use]
    pub fn base_of(&self, target: &TargetName, repository: &RepoName) -> Option<&str> {
        let is_same = |of: &&Released| {
            of.target == target.as_str() && of.repository.eq_ignore_ascii_case(&repository.to_string())
        };
        let of = self.targets.iter().find(is_same)?;
        of.tag.as_deref().or(of.commit.as_deref())
    }

    /// The releases that stand beside the next one, the newest first: this one, and those before it.
    #[must_use]
    pub fn as_earlier(&self) -> Vec<Earlier> {
        let (release, ticket_url) = (self.release.clone(), self.ticket_url.clone());
        let this = Earlier { release, ticket_url, seconds: self.seconds() };
        std::iter::once(this).chain(self.earlier.iter().cloned()).take(EARLIER).collect()
    }

    /// The record as it stands in its marker: as much as fits of what later releases read.
    #[must_use]
    pub fn in_marker(&self) -> Self {
        let mut record = self.clone();
        for target in &mut record.targets {
            (target.notes, target.left_out) = (None, None);
            target.periods.clear();
        }
        let shorten: [fn(&mut Released); 2] = [
            |target| {
                (target.run_url, target.release_url, target.compare_url) = (None, None, None);
                target.commits = None;
            },
            |target| {
                (target.commit, target.version) = (None, None);
                target.repository = text::cut_name(&target.repository, 60);
            },
        ];
        for shorten in shorten {
            if record.fits_marker() {
                break;
            }
            record.targets.iter_mut().for_each(shorten);
        }
        while !record.fits_marker() && !record.targets.is_empty() {
            record.targets.truncate(record.targets.len() * 9 / 10);
        }
        record
    }

    fn fits_marker(&self) -> bool {
        text::length(&marker::json(self)) <= MARKER_LIMIT
    }

    /// The lines of its comment for people, in at most so many characters.
    pub(super) fn lines(&self, limit: usize) -> String {
        page::render(self, limit)
    }

    /// The text of the release of the hub that publishes this record: its first line says that this action wrote it.
    #[must_use]
    pub fn published(&self, limit: usize) -> String {
        let mark = self.mark();
        format!("{mark}\n{}", self.lines(limit.saturating_sub(text::length(&mark) + 1)))
    }

    /// The first line of a release of the hub that publishes the record of this ticket.
    #[must_use]
    pub fn mark(&self) -> String {
        marker::render(marker::Kind::Release, &json!({ "ticket": self.ticket_url }))
    }

    /// The record as the file of `record-path` has it.
    #[must_use]
    pub fn file(&self) -> String {
        let mut file = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(fields) = &mut file {
            // Who wrote it, and how often, matters to the ticket alone.
            fields.retain(|name, _| name != "by" && name != "seq");
            fields.insert("format".to_owned(), FORMAT.into());
            fields.insert("seconds".to_owned(), self.seconds().into());
            let decisions = self.decisions.iter().map(decision).collect::<Vec<Value>>();
            fields.insert("decisions".to_owned(), decisions.into());
        }
        format!("{file:#}\n")
    }
}

/// A decision as the file has it.
fn decision(decision: &Decision) -> Value {
    json!({
        "who": decision.who.login,
        "command": decision.command,
        "names": decision.names,
        "reason": decision.reason,
        "at": decision.at,
        "url": decision.comment_url,
        "commits": decision.commits,
    })
}

impl Released {
    /// Its version for people: what it gave back, else its tag.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref().or(self.tag.as_deref())
    }

    /// How many seconds of it were this.
    #[must_use]
    pub fn seconds(&self, phase: Phase) -> i64 {
        let periods = self.periods.iter().filter(|period| period.phase == phase);
        periods.map(|period| (period.to - period.from).num_seconds()).sum()
    }
}

/// The tag at the end of a link to a release of `repository`: `https://github.com/acme/web/releases/tag/v1.4.0`.
#[must_use]
pub fn tag_of(url: &str, repository: &RepoName) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().ok()?.into_owned();
    let (place, tag) = path.split_once("/releases/tag/")?;
    let is_its = place.trim_start_matches('/').eq_ignore_ascii_case(&repository.to_string());
    (is_its && is_tag(tag)).then(|| tag.to_owned())
}

/// Whether Git takes this name for a tag ([git check-ref-format](https://git-scm.com/docs/git-check-ref-format)).
#[must_use]
pub fn is_tag(name: &str) -> bool {
    let is_forbidden = |c: char| {
        c.is_whitespace() || c.is_control() || super::text::is_invisible(c) || "~^:?*[\\".contains(c)
    };
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let has_gap = name.contains("..") || name.contains("@{") || name.ends_with('.');
    !name.starts_with('-')
        && name.len() <= 200
        && name != "@"
        && !has_gap
        && !name.contains(is_forbidden)
        && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests;
