//! Records: the comments that hold a ticket's state, each with one writer for its whole life.
//!
//! Only the job that created a record rewrites it, and each rewrite raises its sequence number. `other` keeps the fields
//! that this release does not know, which are written back.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decision::Decision;
use super::event_inputs::EventInputs;
use super::explanation::Explanation;
use super::gate::Rules;
use super::marker::{Kind, Marker, MarkerError};
use super::outputs::Outputs;
use super::ping::Ping;
use super::reason::Reason;
use super::release::Release;
use super::run::{FollowedJob, FollowedRun};
use super::status::{StartState, Status, Word};
use super::verification::Verification;
use super::watch::Watch;
use super::writer::Writer;
use crate::names::{CommentId, GitRef, Login, RepoName, RunId, TargetName, WorkflowFile, login, number};

/// The newest report of one stage of one target by one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// The target's name. If `None`, the name under which a dispatch started the run, else the repository's name: the
    /// fold decides, as the dispatch may be recorded after the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The stage's name.
    pub stage: String,
    /// The stage's status.
    pub status: Word<Status>,
    /// The reporter's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The link of the message; `None` for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether this stage ends the target's release.
    #[serde(rename = "done", default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_release: bool,
    /// The values that the target gives back with this stage.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// The time of the report by the reporter's clock: displayed, never compared.
    pub at: DateTime<Utc>,
    /// The record's sequence number at the time of the report.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A target job's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The job that writes it.
    pub by: Writer,
    /// The sequence number: how often the record was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The writer's run in the browser.
    pub run_url: String,
    /// The newest report of each stage.
    pub stages: Vec<StageReport>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Report {
    /// Replaces the report of the same stage by `report`, with the next sequence number. Outputs of earlier reports of the
    /// stage stay.
    pub fn add(&mut self, report: StageReport) {
        self.seq = number::next(self.seq);
        let is_same =
            |other: &mut StageReport| (&other.target, &other.stage) == (&report.target, &report.stage);
        let earlier = self.stages.extract_if(.., is_same).map(|other| other.outputs);
        let mut outputs = earlier.fold(Outputs::default(), |mut all, outputs| {
            all.update(outputs);
            all
        });
        outputs.update(report.outputs);
        self.stages.push(StageReport { seq: self.seq, outputs, ..report });
    }
}

/// The start of one target, in a hub job's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The target's name.
    pub target: TargetName,
    /// The repository of its workflow.
    pub repository: RepoName,
    /// The workflow's file; `None` if an event was sent to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowFile>,
    /// The branch or tag at which the workflow is started.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<GitRef>,
    /// The targets that are released, and the gates that are open, before this one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TargetName>,
    /// The progress of the start.
    pub state: Word<StartState>,
    /// The run that GitHub started, if GitHub named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The run in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// The commit of its ref when this job read it, if the target is behind a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The outputs of the target, if an earlier ticket has released it.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// Whether a hub job verifies the results of its run before the target counts as released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// The claim whose failed run this start repeats; `None` for a first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<CommentId>,
    /// The turn of the reference that claims the target, if jobs claim by references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// The reason why it is not started.
    #[serde(rename = "because", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Word<Reason>>,
    /// The time of the state by the hub job's clock: displayed, never compared.
    pub at: DateTime<Utc>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Start {
    fn has_newer_words(&self) -> bool {
        self.state.is_newer() || self.reason.as_ref().is_some_and(Word::is_newer)
    }
}

/// A hub job's record: its claim on targets, and their progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The job that writes it.
    pub by: Writer,
    /// The sequence number: how often the record was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The hub's run in the browser.
    pub run_url: String,
    /// The runs of the hub's workflow in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_url: Option<String>,
    /// Whether the job closes the ticket when everything is released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub close: bool,
    /// The person responsible for the release.
    #[serde(default, deserialize_with = "login::option")]
    pub driver: Option<Login>,
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The answers of the ticket's form, if this job was the first to use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Word<Map<String, Value>>>,
    /// The inputs of this job's event that templates name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Word<EventInputs>>,
    /// The gates and freezes of the targets file, if this job was the first to read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Word<Rules>>,
    /// The targets that this job claims, and the targets that wait for others.
    pub targets: Vec<Start>,
    /// The names that the targets file lists and this job leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<TargetName>,
    /// The runs that this job follows, or has read once.
    #[serde(rename = "followed", default, skip_serializing_if = "Vec::is_empty")]
    pub followed_runs: Vec<FollowedRun>,
    /// The verifications that this job made of the results of runs.
    #[serde(rename = "verified", default, skip_serializing_if = "Vec::is_empty")]
    pub verifications: Vec<Verification>,
    /// The job's part in unfinished runs.
    #[serde(default, skip_serializing_if = "Watch::is_blank")]
    pub watch: Watch,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Dispatch {
    /// Whether the record only keeps inputs or answers for later dispatches.
    #[must_use]
    pub fn is_for_later(&self) -> bool {
        let keeps = self.inputs.is_some() || self.form.is_some();
        self.targets.is_empty() && self.followed_runs.is_empty() && self.verifications.is_empty() && keeps
    }
}

/// The notice of a failure or of its end: a record on a ticket, or the marker of an issue that notify opened because
/// there was no ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The job that writes it.
    pub by: Writer,
    /// The sequence number: how often the record was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The run in the browser.
    pub run_url: String,
    /// The identity of the failure: notices of the same failure have the same fingerprint.
    pub fingerprint: String,
    /// `failure` or `cancelled`; `success` if an earlier failure is resolved.
    pub status: Word<Status>,
    /// The failure in words.
    pub message: String,
    /// The failed job or step in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The first job that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<FollowedJob>,
    /// The explanation that the writer read: it is in the comment's text, not in its marker.
    #[serde(skip)]
    pub explanation: Explanation,
    /// The pings that this notice sends; empty for the notice of a failure itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pings: Vec<Ping>,
    /// The people that it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "login::list")]
    pub mention: Vec<Login>,
    /// The times at which a flapping failure came back: the notice is edited then, and pings nobody again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flapping: Vec<DateTime<Utc>>,
    /// The time of the notice by the reporter's clock: displayed, never compared.
    pub at: DateTime<Utc>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An order for a record and an edited copy of it, so that every reader chooses the same one.
pub(super) fn by_text(a: &impl Serialize, b: &impl Serialize) -> Ordering {
    let texts = (serde_json::to_string(a), serde_json::to_string(b));
    let (Ok(a), Ok(b)) = texts else { unreachable!("records have string keys and finite numbers") };
    a.cmp(&b)
}

/// Any record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A hub job's record.
    Dispatch(Dispatch),
    /// A target job's record.
    Report(Report),
    /// A failure's record.
    Notice(Notice),
    /// A command's record.
    Decision(Decision),
    /// The record of the whole release.
    Release(Box<Release>),
}

impl Record {
    /// Parses the record behind `marker`; `None` if the text is not a record.
    ///
    /// # Errors
    ///
    /// The kind is unknown, or the data does not have the record's shape.
    pub fn parse(marker: &Marker<'_>) -> Result<Option<Self>, MarkerError> {
        Ok(Some(match marker.kind().ok_or(MarkerError::Newer)? {
            Kind::Dispatch => Self::Dispatch(marker.data()?),
            Kind::Report => Self::Report(marker.data()?),
            Kind::Notice => Self::Notice(marker.data()?),
            Kind::Decision => Self::Decision(marker.data()?),
            Kind::Release => Self::Release(marker.data()?),
            Kind::Ticket | Kind::Board => return Ok(None),
        }))
    }

    /// Whether it has words of a newer release, which this release does not know.
    #[must_use]
    pub fn has_newer_words(&self) -> bool {
        match self {
            Self::Dispatch(dispatch) => dispatch.targets.iter().any(Start::has_newer_words),
            Self::Report(report) => report.stages.iter().any(|stage| stage.status.is_newer()),
            Self::Notice(notice) => notice.status.is_newer(),
            Self::Decision(decision) => decision.has_newer_words(),
            Self::Release(_) => false,
        }
    }

    /// The job that writes it.
    #[must_use]
    pub fn by(&self) -> &Writer {
        match self {
            Self::Dispatch(dispatch) => &dispatch.by,
            Self::Report(report) => &report.by,
            Self::Notice(notice) => &notice.by,
            Self::Decision(decision) => &decision.by,
            Self::Release(release) => &release.by,
        }
    }

    /// The sequence number: how often the record was written.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Dispatch(dispatch) => dispatch.seq,
            Self::Report(report) => report.seq,
            Self::Notice(notice) => notice.seq,
            Self::Decision(decision) => decision.seq,
            Self::Release(release) => release.seq,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_is_not_a_login_leaves_the_rest_of_a_record_readable() {
        let by = json!({ "repository": "acme/hub", "run": 1, "attempt": 1, "job": "dispatch" });
        for name in [json!("![x](https://evil.example) @all"), json!(7), json!(null), json!(["alice"])] {
            let dispatch = json!({ "by": by, "seq": 1, "run_url": "", "driver": name, "targets": [] });
            let dispatch: Dispatch = serde_json::from_value(dispatch).expect("a record");
            assert_eq!(dispatch.driver, None, "{name}");
            let notice = json!({
                "by": by, "seq": 1, "run_url": "", "fingerprint": "f", "status": "failure", "message": "",
                "mention": ["alice", name], "at": "2026-01-05T09:00:00Z",
            });
            let notice: Notice = serde_json::from_value(notice).expect("a record");
            assert_eq!(notice.mention, Vec::from_iter(Login::parse("alice")), "{name}");
        }
    }
}
