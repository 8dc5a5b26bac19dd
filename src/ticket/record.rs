//! Records: the comments that hold a ticket's state, each with one writer for its whole life.
//!
//! A record is rewritten only by the job that created it, and each rewrite raises its sequence
//! number. Fields that this release does not know are kept in `other` and written back.

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

/// One stage of one target, as a job last reported it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// The target's name. Without one it is the name under which a dispatch started the run, else
    /// the repository's: the fold finds out, as the dispatch may be recorded after the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The stage's name.
    pub stage: String,
    /// How it stands.
    pub status: Word<Status>,
    /// What the reporter had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the message links to, where that is not the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether this stage ends the target's release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// The values that the target gives back with it.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// When it was reported, by the reporter's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// The record's sequence number with which it came.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A target job's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Who writes it.
    pub by: Writer,
    /// How often it was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The writer's run in the browser.
    pub run_url: String,
    /// The newest report of each stage.
    pub stages: Vec<StageReport>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Report {
    /// Puts `report` in the place of what was known of the same stage, with the next sequence number. Outputs that were
    /// reported with it before stay.
    pub fn add(&mut self, report: StageReport) {
        self.seq = number::next(self.seq);
        let is_same =
            |known: &mut StageReport| (&known.target, &known.stage) == (&report.target, &report.stage);
        let known = self.stages.extract_if(.., is_same).map(|known| known.outputs);
        let mut outputs = known.fold(Outputs::default(), |mut all, outputs| {
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
    /// Where it runs.
    pub repository: RepoName,
    /// The workflow's file; none when an event was sent to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowFile>,
    /// The branch or tag at which the workflow is started.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<GitRef>,
    /// The targets that are released, and the gates that are open, before this one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TargetName>,
    /// How far it has come.
    pub state: Word<StartState>,
    /// The run that GitHub started, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The run in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// The commit of its ref when this job looked, where a gate asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The outputs of the target, where an earlier ticket has released it.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// Whether a hub job verifies what its run has made, before it counts as released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// The claim whose failed run this start repeats; none for a first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<CommentId>,
    /// The turn of the reference by which the target was claimed, where jobs claim by references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// Why it is not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Word<Reason>>,
    /// When the state was reached, by the hub job's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Start {
    fn has_newer_words(&self) -> bool {
        self.state.is_newer() || self.because.as_ref().is_some_and(Word::is_newer)
    }
}

/// A hub job's record: its claim on targets, and what became of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Who writes it.
    pub by: Writer,
    /// How often it was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The hub's run in the browser.
    pub run_url: String,
    /// The runs of the hub's workflow in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_url: Option<String>,
    /// Whether the ticket is closed when everything is released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub close: bool,
    /// Who is responsible for the release.
    #[serde(default, deserialize_with = "login::option")]
    pub driver: Option<Login>,
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The answers of the ticket's form, where this job was the first to use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Word<Map<String, Value>>>,
    /// The inputs of the event that started this job, as far as templates name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Word<EventInputs>>,
    /// The gates and freezes of the targets file, where this job was the first to read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Word<Rules>>,
    /// The targets that this job claims, and those that wait for others.
    pub targets: Vec<Start>,
    /// The names of targets that are listed and left alone by this job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<TargetName>,
    /// The runs that this job follows, or has looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<FollowedRun>,
    /// What this job has verified of what runs have made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Verification>,
    /// What this job does about runs that go on.
    #[serde(default, skip_serializing_if = "Watch::is_blank")]
    pub watch: Watch,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Dispatch {
    /// Whether it only keeps inputs or answers for later dispatches.
    #[must_use]
    pub fn is_for_later(&self) -> bool {
        let keeps = self.inputs.is_some() || self.form.is_some();
        self.targets.is_empty() && self.followed.is_empty() && self.verified.is_empty() && keeps
    }
}

/// A failure that was notified, or its end: a record on a ticket, and the marker of an issue that
/// notify opened where there was no ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Who writes it.
    pub by: Writer,
    /// How often it was written.
    #[serde(deserialize_with = "number::deserialize")]
    pub seq: u64,
    /// The run in the browser.
    pub run_url: String,
    /// What makes two failures the same.
    pub fingerprint: String,
    /// `failure` or `cancelled`; `success` when an earlier failure is over.
    pub status: Word<Status>,
    /// What went wrong.
    pub message: String,
    /// The failed job or step in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The first job that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<FollowedJob>,
    /// Why, as its writer read it: the comment shows it, and its marker does not hold it.
    #[serde(skip)]
    pub explanation: Explanation,
    /// What it pings somebody for, where the ticket itself shows what went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pings: Vec<Ping>,
    /// Who is pinged.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "login::list")]
    pub mention: Vec<Login>,
    /// When the failure came back, of one that flaps: then the notice is edited, and pings nobody again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flapping: Vec<DateTime<Utc>>,
    /// When it was noticed, by the reporter's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An order of records of which one is an edited copy of the other: whichever it is, every reader takes the same.
pub(super) fn by_text(a: &impl Serialize, b: &impl Serialize) -> Ordering {
    let texts = (serde_json::to_string(a), serde_json::to_string(b));
    let (Ok(a), Ok(b)) = texts else { unreachable!("records have string keys and finite numbers") };
    a.cmp(&b)
}

/// Any record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A hub job's.
    Dispatch(Dispatch),
    /// A target job's.
    Report(Report),
    /// A failure's.
    Notice(Notice),
    /// A command's.
    Decision(Decision),
    /// The whole release's.
    Release(Box<Release>),
}

impl Record {
    /// Reads the record behind `marker`; `None` when the marker is of something else.
    ///
    /// # Errors
    ///
    /// When the kind is not known, or the data is not of the record's shape.
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

    /// Whether a newer release wrote words into it that this one does not know.
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

    /// Who writes it.
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

    /// How often it was written.
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
