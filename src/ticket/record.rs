//! Records: the comments that hold a ticket's state, each with one writer for its whole life.
//!
//! A record is rewritten only by the job that created it, and each rewrite raises its sequence
//! number. Fields that this release does not know are kept in `other` and written back.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::followed::FollowedRun;
use super::marker::{self, Kind, Marker, MarkerError};
use super::text;
use crate::names::{Login, RepoName, RunId};

/// The job that writes a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Writer {
    /// Where the job's run is.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The job: its id in the workflow, with the values of its matrix.
    pub job: String,
    /// The job's check run, where the runner tells it: a workflow that is called twice in one run
    /// has jobs of the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_run: Option<u64>,
}

/// How a stage stands.
///
/// The order is that in which states of the same stage from different jobs of one attempt outrank
/// each other: a failure in one job of a matrix is not hidden by the success of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Will run.
    Queued,
    /// Runs.
    InProgress,
    /// Left out on purpose.
    Skipped,
    /// Ended well.
    Success,
    /// Was stopped.
    Cancelled,
    /// Ended badly.
    Failure,
}

impl Status {
    /// Every status, in the order in which the contract lists them.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::InProgress, Self::Success, Self::Failure, Self::Cancelled, Self::Skipped];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Skipped => "skipped",
            Self::Success => "success",
            Self::Cancelled => "cancelled",
            Self::Failure => "failure",
        }
    }

    /// Emoji and words, as people read it.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Queued => "🕓 queued",
            Self::InProgress => "🔄 in progress",
            Self::Skipped => "⏭️ skipped",
            Self::Success => "✅ success",
            Self::Cancelled => "🚫 cancelled",
            Self::Failure => "❌ failure",
        }
    }

    /// Whether a later attempt still has to do it again.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Success | Self::Skipped)
    }
}

/// One stage of one target, as a job last reported it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// The target's name. Without one it is the name under which a dispatch started the run, else
    /// the repository's: the fold finds out, as the dispatch may be recorded after the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The stage's name.
    pub stage: String,
    /// How it stands.
    pub status: Status,
    /// What the reporter had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the message links to, where that is not the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether this stage ends the target's release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// When it was reported, by the reporter's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// The record's sequence number with which it came.
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
    /// Puts `report` in the place of what was known of the same stage, with the next sequence number.
    pub fn add(&mut self, report: StageReport) {
        self.seq += 1;
        self.stages.retain(|known| (&known.target, &known.stage) != (&report.target, &report.stage));
        self.stages.push(StageReport { seq: self.seq, ..report });
    }
}

/// How far the start of a target has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartState {
    /// Not claimed yet: other targets have to be released before.
    Waiting,
    /// Claimed: it will be started, or is being started right now.
    Claimed,
    /// Left to another hub job, whose claim came first.
    Yielded,
    /// The hub job was cancelled before it could tell.
    Cancelled,
    /// GitHub took it.
    Started,
    /// GitHub refused it; nothing runs.
    Refused,
    /// Nobody can tell whether it runs.
    Unknown,
}

/// The start of one target, in a hub job's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The target's name.
    pub target: String,
    /// Where it runs.
    pub repository: RepoName,
    /// The workflow's file; none when an event was sent to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The branch or tag at which the workflow is started.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The targets that are released before this one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// How far it has come.
    pub state: StartState,
    /// The run that GitHub started, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The run in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the state was reached, by the hub job's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A hub job's record: its claim on targets, and what became of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Who writes it.
    pub by: Writer,
    /// How often it was written.
    pub seq: u64,
    /// The hub's run in the browser.
    pub run_url: String,
    /// Who is responsible for the release.
    pub driver: Option<Login>,
    /// The name or version of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The targets that this job claims, and those that wait for others.
    pub targets: Vec<Start>,
    /// The runs that this job follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<FollowedRun>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A failure that was notified, or its end: a record on a ticket, and the marker of an issue that
/// notify opened where there was no ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Who writes it.
    pub by: Writer,
    /// How often it was written.
    pub seq: u64,
    /// The run in the browser.
    pub run_url: String,
    /// What makes two failures the same.
    pub fingerprint: String,
    /// `failure` or `cancelled`; `success` when an earlier failure is over.
    pub status: Status,
    /// What went wrong.
    pub message: String,
    /// The failed job or step in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who is pinged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention: Vec<Login>,
    /// When it was noticed, by the reporter's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
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
}

impl Record {
    /// Reads the record behind `marker`; `None` when the marker is of something else.
    ///
    /// # Errors
    ///
    /// When the data is not of the record's shape.
    pub fn parse(marker: &Marker<'_>) -> Result<Option<Self>, MarkerError> {
        Ok(Some(match marker.kind {
            Kind::Dispatch => Self::Dispatch(marker.data()?),
            Kind::Report => Self::Report(marker.data()?),
            Kind::Notice => Self::Notice(marker.data()?),
            Kind::Ticket | Kind::Board => return Ok(None),
        }))
    }

    /// Who writes it.
    #[must_use]
    pub fn by(&self) -> &Writer {
        match self {
            Self::Dispatch(dispatch) => &dispatch.by,
            Self::Report(report) => &report.by,
            Self::Notice(notice) => &notice.by,
        }
    }

    /// How often it was written.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Dispatch(dispatch) => dispatch.seq,
            Self::Report(report) => report.seq,
            Self::Notice(notice) => notice.seq,
        }
    }

    /// Renders the comment: the marker, then a few lines for people.
    ///
    /// Long messages are cut as far as GitHub's limit asks; [`Record::fits`] tells whether that was enough.
    #[must_use]
    pub fn render(&self) -> String {
        let [whole, shorter, shortest] =
            [text::MESSAGE_LIMIT, 400, 40].map(|limit| move || self.with_messages_cut(limit).render_whole());
        let fits = |body: &String| text::length(body) <= text::BODY_LIMIT;
        Some(whole()).filter(fits).or_else(|| Some(shorter()).filter(fits)).unwrap_or_else(shortest)
    }

    /// Whether the rendered record is short enough for a comment.
    #[must_use]
    pub fn fits(&self) -> bool {
        text::length(&self.render()) <= text::BODY_LIMIT
    }

    fn render_whole(&self) -> String {
        match self {
            Self::Dispatch(dispatch) => {
                format!("{}\n{}", marker::render(Kind::Dispatch, dispatch), dispatch.shown())
            }
            Self::Report(report) => format!("{}\n{}", marker::render(Kind::Report, report), report.shown()),
            Self::Notice(notice) => format!("{}\n{}", marker::render(Kind::Notice, notice), notice.shown()),
        }
    }

    fn with_messages_cut(&self, limit: usize) -> Self {
        let mut record = self.clone();
        match &mut record {
            Self::Dispatch(dispatch) => {
                for error in dispatch.targets.iter_mut().filter_map(|start| start.error.as_mut()) {
                    *error = text::cut(error, limit);
                }
            }
            Self::Report(report) => {
                for message in report.stages.iter_mut().filter_map(|stage| stage.message.as_mut()) {
                    *message = text::cut(message, limit);
                }
            }
            Self::Notice(notice) => notice.message = text::cut(&notice.message, limit),
        }
        record
    }
}

impl Dispatch {
    fn shown(&self) -> String {
        let hub_run = text::link(&format!("Hub run {}", self.by.run), &self.run_url);
        let mut out = match (self.targets.is_empty(), self.followed.is_empty()) {
            (true, false) => format!("👀 {hub_run} follows:\n"),
            _ => format!("🚀 {hub_run} dispatches:\n"),
        };
        for start in &self.targets {
            let run = |text: &str| text::link(text, start.run_url.as_deref().unwrap_or_default());
            let followed = self.followed.iter().find(|run| run.target == start.target);
            let state = match (start.state, followed) {
                (_, Some(run)) => run.shown(),
                (StartState::Waiting, _) => format!("⏳ waits for {}", text::inline(&start.needs.join(", "))),
                (StartState::Claimed, _) => "about to start".to_owned(),
                (StartState::Yielded, _) => "left to the hub job that claimed it first".to_owned(),
                (StartState::Cancelled, _) => "🚫 cancelled".to_owned(),
                (StartState::Started, _) => run("started"),
                (StartState::Refused, _) => "❌ could not be started".to_owned(),
                (StartState::Unknown, _) => "❌ nobody can tell whether it runs".to_owned(),
            };
            out += &format!("\n- **{}** ({}): {state}", text::inline(&start.target), start.repository);
            if let Some(error) = &start.error {
                out += &format!("\n  {}", text::quote(error).replace('\n', "\n  "));
            }
        }
        let is_listed = |run: &&FollowedRun| self.targets.iter().any(|start| start.target == run.target);
        for run in self.followed.iter().filter(|run| !is_listed(run)) {
            out += &format!("\n- **{}** ({}): {}", text::inline(&run.target), run.repository, run.shown());
        }
        let failed = |start: &Start| matches!(start.state, StartState::Refused | StartState::Unknown);
        if let Some(driver) = self.driver.as_ref().filter(|_| self.targets.iter().any(failed)) {
            out += &format!("\n\n@{driver} please have a look.");
        }
        out
    }
}

impl Report {
    fn shown(&self) -> String {
        let attempt =
            if self.by.attempt > 1 { format!(", attempt {}", self.by.attempt) } else { String::new() };
        let run = text::link(&format!("run {}{attempt}", self.by.run), &self.run_url);
        let stages = self.stages.iter().map(|stage| {
            let url = stage.url.as_deref().filter(|url| *url != self.run_url);
            let url = url.map(|url| format!(" · {}", text::link("link", url))).unwrap_or_default();
            let message = stage.message.as_deref().map(|message| format!("\n\n{}\n", text::quote(message)));
            format!(
                "\n{} **{}** {}{url} · {run}{}",
                stage.status.shown(),
                text::inline(stage.target.as_deref().unwrap_or(self.by.repository.name())),
                text::code(&stage.stage),
                message.unwrap_or_default()
            )
        });
        stages.collect::<Vec<_>>().join("\n").trim_start().to_owned()
    }
}

impl Notice {
    /// The notice, pinging these; nobody is pinged for good news.
    #[must_use]
    pub fn mentioning(self, logins: Vec<Login>) -> Self {
        let mention = if self.status == Status::Success { Vec::new() } else { logins };
        Self { mention, ..self }
    }

    fn shown(&self) -> String {
        let what = match self.status {
            Status::Success => "✅ **This works again**",
            Status::Cancelled => "🚫 **A run was cancelled**",
            _ => "❌ **Something went wrong**",
        };
        let attempt =
            if self.by.attempt > 1 { format!(", attempt {}", self.by.attempt) } else { String::new() };
        let pinged: String = self.mention.iter().map(|login| format!(" @{login}")).collect();
        let pinged =
            if pinged.is_empty() { pinged } else { format!("\n\n{} please have a look.", pinged.trim()) };
        format!(
            "{what} in {}, job {}: {}\n\n{}{pinged}",
            self.by.repository,
            text::code(&self.by.job),
            text::link(&format!("run {}{attempt}", self.by.run), &self.run_url),
            text::quote(&self.message)
        )
    }
}

/// What makes two dispatches, or two failures, belong to the same issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A ticket for the release of this name.
    Release(String),
    /// A ticket for this run of the hub, where the release has no name.
    Run(RunId),
    /// An issue that notify opened for the failure with this fingerprint.
    Failure(String),
}

/// The data in the body of a ticket, by which it is found again. It is written once; state lives
/// in records.
#[derive(Serialize, Deserialize)]
struct TicketBody {
    key: Key,
}

impl Key {
    /// Reads the key from the body of an issue that this action opened.
    #[must_use]
    pub fn of(body: &str) -> Option<Self> {
        let marker = Marker::find(body)?.ok()?;
        match marker.kind {
            Kind::Ticket => marker.data::<TicketBody>().ok().map(|body| body.key),
            Kind::Notice => marker.data::<Notice>().ok().map(|notice| Self::Failure(notice.fingerprint)),
            _ => None,
        }
    }

    /// Renders the body of a ticket: the marker, then `text`, cut to GitHub's limit.
    #[must_use]
    pub fn ticket_body(&self, text: &str) -> String {
        let marker = marker::render(Kind::Ticket, &TicketBody { key: self.clone() });
        text::cut(&format!("{marker}\n{text}"), text::BODY_LIMIT)
    }
}
