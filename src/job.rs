//! The job that this step belongs to, by the runner's variables.
//!
//! The variables are those of
//! <https://docs.github.com/actions/reference/workflows-and-actions/variables>.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::event::{Event, EventError};
use crate::names::{Login, RepoName, RunId, WorkflowFile};
use crate::problem::Help;

/// The environment of the process, read once.
pub type Environment = BTreeMap<String, String>;

/// Why this does not look like a step of a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Every runner sets these variables, so this is not a runner.
    #[error("not started by a runner: {} not set or unusable", .0.join(", "))]
    Variables(Vec<&'static str>),
    /// The event cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
}

impl Help for JobError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Variables(_) => Some("use this as a step of a workflow".to_owned()),
            Self::Event(error) => error.help(),
        }
    }
}

/// The time, read once as a date and counted on from there.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self { started: now, since: Instant::now() }
    }

    /// The time now, in whole seconds as GitHub shows it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::MAX);
        let now = self.started.checked_add_signed(passed).unwrap_or(self.started);
        DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
    }
}

/// How a job with `permissions: id-token: write` asks GitHub Actions to sign its identity.
#[derive(Debug, Clone)]
pub struct IdentityRequest {
    /// Where.
    pub url: String,
    /// With which token.
    pub token: SecretString,
}

/// The variable that says where a job asks for its identity.
pub const IDENTITY_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// The variable with the token for that: the one secret that the runner puts into the environment.
pub const IDENTITY_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The variable of a post step that says which stage its main step has left to it, as [`Job::state`] got it.
pub const TRACKED: &str = "STATE_tracks";

/// The job, its run and its surroundings.
#[derive(Debug, Clone)]
pub struct Job {
    /// The repository whose workflow runs.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The job's id in the workflow file.
    pub id: String,
    /// The workflow's name, or its file.
    pub workflow: String,
    /// The runs of the workflow in the browser, where the runner says which file it is.
    pub workflow_url: Option<String>,
    /// The full name of what is run, `refs/heads/main`.
    pub git_ref: String,
    /// The commit that is run.
    pub sha: Option<String>,
    /// Who started the run.
    pub actor: Option<Login>,
    /// Where people see the server, without a slash at the end.
    pub server_url: String,
    /// Where the API is, without a slash at the end.
    pub api_url: String,
    /// Where the repository is checked out, if it is.
    pub workspace: Option<PathBuf>,
    /// A folder that the steps of this job share.
    pub temp: Option<PathBuf>,
    /// Where outputs go.
    pub output: Option<PathBuf>,
    /// Where the job summary goes.
    pub summary: Option<PathBuf>,
    /// Where a main step leaves what its post step needs to know.
    pub state: Option<PathBuf>,
    /// Of a post step: which stage its main step tracks.
    pub tracked: Option<String>,
    /// Whether the run was started with debug logging.
    pub debug: bool,
    /// How the job asks for its identity, if it may.
    pub identity: Option<IdentityRequest>,
    /// What started the run.
    pub event: Event,
    /// The time.
    pub clock: Clock,
}

impl Job {
    /// Reads the job from the environment that the runner set.
    ///
    /// # Errors
    ///
    /// When a variable is missing that every runner sets, or the event cannot be read.
    pub fn read(environment: &Environment, clock: Clock) -> Result<Self, JobError> {
        let get =
            |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).map(str::to_owned);
        let url = |name: &str, default: &str| get(name).unwrap_or(default).trim_end_matches('/').to_owned();
        let mut missing = Vec::new();
        let repository = get("GITHUB_REPOSITORY").and_then(|name| name.parse().ok());
        let run = get("GITHUB_RUN_ID").and_then(|id| id.parse().ok());
        if repository.is_none() {
            missing.push("GITHUB_REPOSITORY");
        }
        if run.is_none() {
            missing.push("GITHUB_RUN_ID");
        }
        let (Some(repository), Some(run)) = (repository, run) else {
            return Err(JobError::Variables(missing));
        };
        let server_url = url("GITHUB_SERVER_URL", "https://github.com");
        let workflow_url = get("GITHUB_WORKFLOW_REF")
            .and_then(|workflow| workflow_file(workflow, &repository))
            .map(|file| format!("{server_url}/{repository}/actions/workflows/{file}"));
        Ok(Self {
            repository,
            workflow_url,
            run: RunId(run),
            attempt: get("GITHUB_RUN_ATTEMPT").and_then(|attempt| attempt.parse().ok()).unwrap_or(1),
            id: text("GITHUB_JOB").unwrap_or_else(|| "job".to_owned()),
            workflow: text("GITHUB_WORKFLOW").unwrap_or_default(),
            git_ref: text("GITHUB_REF").unwrap_or_default(),
            sha: text("GITHUB_SHA"),
            actor: get("GITHUB_ACTOR").and_then(Login::parse),
            server_url,
            api_url: url("GITHUB_API_URL", "https://api.github.com"),
            workspace: text("GITHUB_WORKSPACE").map(PathBuf::from),
            temp: text("RUNNER_TEMP").map(PathBuf::from),
            output: text("GITHUB_OUTPUT").map(PathBuf::from),
            summary: text("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            state: text("GITHUB_STATE").map(PathBuf::from),
            tracked: text(TRACKED),
            debug: get("RUNNER_DEBUG") == Some("1"),
            identity: get(IDENTITY_URL)
                .zip(get(IDENTITY_TOKEN))
                .map(|(url, token)| IdentityRequest { url: url.to_owned(), token: token.to_owned().into() }),
            event: Event::read(get("GITHUB_EVENT_PATH"))?,
            clock,
        })
    }

    /// The attempt of the run in the browser.
    #[must_use]
    pub fn run_url(&self) -> String {
        self.url_of_run(self.run, self.attempt)
    }

    /// The attempt of a run of this repository in the browser.
    #[must_use]
    pub fn url_of_run(&self, run: RunId, attempt: u32) -> String {
        let url = format!("{}/{}/actions/runs/{run}", self.server_url, self.repository);
        if attempt > 1 { format!("{url}/attempts/{attempt}") } else { url }
    }

    /// The job of a run of this repository in the browser, by its check run.
    #[must_use]
    pub fn url_of_job(&self, run: RunId, check_run: u64) -> String {
        format!("{}/job/{check_run}", self.url_of_run(run, 1))
    }

    /// An issue in the browser.
    #[must_use]
    pub fn issue_url(&self, issue: &crate::names::IssueRef) -> String {
        format!("{}/{}/issues/{}", self.server_url, issue.repository, issue.number)
    }
}

/// The file of `owner/name/.github/workflows/release.yml@refs/heads/main`, if it is one of `repository`.
fn workflow_file(workflow: &str, repository: &RepoName) -> Option<WorkflowFile> {
    let (path, _) = workflow.split_once('@')?;
    WorkflowFile::parse(path.strip_prefix(&format!("{repository}/"))?)
}
