//! The record of a complete release, written once, when everything is released.
//!
//! Times and notes come from GitHub ([`Survey`]), the rest from the ticket. The comment's marker keeps the parts that later
//! releases read (the versions and the duration); the comment's text and the file of `record-path` have everything. If
//! several comments hold such a record, the one with the lowest id counts.

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

/// The version of the file's format.
const FORMAT: u32 = 1;

/// The most earlier releases beside this one.
const EARLIER_LIMIT: usize = 5;

/// The most characters of the marker: it leaves room for the table and the decisions.
const MARKER_LIMIT: usize = 24_000;

/// The most characters of a release's notes that are kept.
pub const NOTES_LIMIT: usize = 20_000;

/// The record of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The job that writes it.
    pub by: Writer,
    /// The sequence number: how often the record was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The writer's run in the browser.
    pub run_url: String,
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The ticket in the browser.
    pub ticket_url: String,
    /// The creation of its first job, by GitHub's clock.
    pub started_at: DateTime<Utc>,
    /// The end of its last job, by GitHub's clock.
    pub ended_at: DateTime<Utc>,
    /// The targets, all released.
    pub targets: Vec<ReleasedTarget>,
    /// The times for which the gates waited for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateWait>,
    /// The first failure.
    #[serde(rename = "failed_first", default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<FirstFailure>,
    /// The releases before this one, the newest first.
    #[serde(rename = "earlier", default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_releases: Vec<EarlierRelease>,
    /// The decisions of people: each has a record of its own on the ticket.
    #[serde(skip)]
    pub decisions: Vec<Decision>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A target that is released.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReleasedTarget {
    /// The target's name.
    pub target: String,
    /// The repository of its run.
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
    /// The run that released it; `None` if the ticket does not know it, or a person skipped the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The run in the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// The number of attempts of all its runs.
    pub attempts: u32,
    /// Whether a person skipped it.
    #[serde(rename = "skipped", skip_serializing_if = "std::ops::Not::not")]
    pub is_skipped: bool,
    /// Its release in the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_url: Option<String>,
    /// The notes of its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The comparison with the previous release, in the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare_url: Option<String>,
    /// The number of commits since the previous release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// The phases of the newest attempt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<Period>,
    /// The parts that GitHub did not show, and the reason.
    #[serde(rename = "left_out", skip_serializing_if = "Option::is_none")]
    pub omission: Option<String>,
}

/// The time for which a gate waited for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateWait {
    /// The gate's name.
    pub name: String,
    /// The time at which everything before the gate was released.
    pub from: DateTime<Utc>,
    /// The time of the last go.
    pub to: DateTime<Utc>,
}

/// The first failure of a release, which was repaired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirstFailure {
    /// The target's name.
    pub target: String,
    /// The failed job.
    pub what: String,
    /// The failed job in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The time of the failure.
    pub at: DateTime<Utc>,
    /// The time at which the target was released after all.
    pub mended_at: DateTime<Utc>,
}

/// A previous release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierRelease {
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Its ticket in the browser.
    pub ticket_url: String,
    /// Its duration in seconds.
    pub seconds: i64,
}

/// GitHub's facts about a released target.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// The phases of its run.
    pub periods: Vec<Period>,
    /// The commit that its run released.
    pub commit: Option<String>,
    /// The first job that failed: the name, the page and the time.
    pub failure: Option<(String, Option<String>, DateTime<Utc>)>,
    /// Its release: the tag, the page and the notes.
    pub release: Option<(String, String, String)>,
    /// The comparison with the previous release: the page and the number of commits.
    pub comparison: Option<(String, u64)>,
    /// The parts that GitHub does not show, and the reason.
    pub omission: Option<String>,
}

impl Release {
    /// The duration in seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        (self.ended_at - self.started_at).num_seconds().max(0)
    }

    /// Whether both records are of the same runs and attempts: then they say the same.
    #[must_use]
    pub fn has_same_runs(&self, release: &Self) -> bool {
        self.runs() == release.in_marker().runs()
    }

    fn runs(&self) -> BTreeMap<&str, (Option<RunId>, u32)> {
        self.targets.iter().map(|target| (target.target.as_str(), (target.run, target.attempts))).collect()
    }

    /// The base with which a target's next release is compared: its tag, else its commit.
    #[must_use]
    pub fn base_of(&self, target: &TargetName, repository: &RepoName) -> Option<&str> {
        let is_same = |other: &&ReleasedTarget| {
            other.target == target.as_str() && other.repository.eq_ignore_ascii_case(&repository.to_string())
        };
        let previous = self.targets.iter().find(is_same)?;
        previous.tag.as_deref().or(previous.commit.as_deref())
    }

    /// The earlier releases for the next record, the newest first: this release, and those before it.
    #[must_use]
    pub fn as_earlier(&self) -> Vec<EarlierRelease> {
        let (release, ticket_url) = (self.release.clone(), self.ticket_url.clone());
        let this = EarlierRelease { release, ticket_url, seconds: self.seconds() };
        std::iter::once(this).chain(self.earlier_releases.iter().cloned()).take(EARLIER_LIMIT).collect()
    }

    /// The record for its marker: the parts that later releases read, cut to the marker's limit.
    #[must_use]
    pub fn in_marker(&self) -> Self {
        let mut record = self.clone();
        for target in &mut record.targets {
            (target.notes, target.omission) = (None, None);
            target.periods.clear();
        }
        let shorten: [fn(&mut ReleasedTarget); 2] = [
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

    /// The lines of its comment for people, in at most `limit` characters.
    pub(super) fn lines(&self, limit: usize) -> String {
        page::render(self, limit)
    }

    /// The text of a GitHub release of the hub that publishes this record; its first line is [`Self::mark`].
    #[must_use]
    pub fn hub_release_text(&self, limit: usize) -> String {
        let mark = self.mark();
        format!("{mark}\n{}", self.lines(limit.saturating_sub(text::length(&mark) + 1)))
    }

    /// The first line of a GitHub release of the hub that publishes the record of this ticket: the action wrote it.
    #[must_use]
    pub fn mark(&self) -> String {
        marker::render(marker::Kind::Release, &json!({ "ticket": self.ticket_url }))
    }

    /// The text of the file of `record-path`.
    #[must_use]
    pub fn file(&self) -> String {
        let mut file = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(fields) = &mut file {
            // The writer and the sequence number matter to the ticket alone.
            fields.retain(|name, _| name != "by" && name != "seq");
            fields.insert("format".to_owned(), FORMAT.into());
            fields.insert("seconds".to_owned(), self.seconds().into());
            let decisions = self.decisions.iter().map(decision).collect::<Vec<Value>>();
            fields.insert("decisions".to_owned(), decisions.into());
        }
        format!("{file:#}\n")
    }
}

/// A decision in the file.
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

impl ReleasedTarget {
    /// Its version for people: the one that it gave back, else its tag.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref().or(self.tag.as_deref())
    }

    /// The seconds that it spent in `phase`.
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

/// Whether Git accepts `name` for a tag ([git check-ref-format](https://git-scm.com/docs/git-check-ref-format)).
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
