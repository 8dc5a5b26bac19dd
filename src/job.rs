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
use crate::problem::{Advice, Help, Topic};

/// The environment of the process, read once.
pub type Environment = BTreeMap<String, String>;

/// Why the environment is not that of a step.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Variables that every runner sets are missing or unusable.
    #[error("not started by a runner: {} not set or unusable", .0.join(", "))]
    Variables(Vec<&'static str>),
    /// The event cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
}

impl Help for JobError {
    fn help(&self) -> Option<Advice> {
        match self {
            Self::Variables(_) => Some(Topic::Runner.advice("use this as a step of a workflow")),
            Self::Event(error) => error.help(),
        }
    }
}

/// The time: a date that was read once, and the time that has passed since.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: DateTime<Utc>,
    instant: Instant,
}

impl Clock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self { start: now, instant: Instant::now() }
    }

    /// The time now, in whole seconds as GitHub shows it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let duration = TimeDelta::from_std(self.instant.elapsed()).unwrap_or(TimeDelta::MAX);
        let now = self.start.checked_add_signed(duration).unwrap_or(self.start);
        DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
    }
}

/// How a job with `permissions: id-token: write` asks GitHub Actions to sign its identity.
#[derive(Debug, Clone)]
pub struct IdentityRequest {
    /// The address for the request.
    pub url: String,
    /// The token for the request.
    pub token: SecretString,
}

/// The variable with the address at which a job asks for its identity.
pub const IDENTITY_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// The variable with the token for that request: the one secret that the runner puts into the environment.
pub const IDENTITY_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The variable of a post step with the stage that its main step wrote to [`Job::state`].
pub const TRACKED_STAGE: &str = "STATE_tracks";

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
    /// The page with the runs of the workflow, if the runner names its file.
    pub workflow_url: Option<String>,
    /// The full name of the reference that is run: `refs/heads/main`.
    pub git_ref: String,
    /// The commit of the run.
    pub sha: Option<String>,
    /// The account that started the run.
    pub actor: Option<Login>,
    /// The server's address in the browser, without a slash at the end.
    pub server_url: String,
    /// The API's address, without a slash at the end.
    pub api_url: String,
    /// The workspace, into which a step may have checked out the repository.
    pub workspace: Option<PathBuf>,
    /// The folder that the steps of this job share.
    pub temp: Option<PathBuf>,
    /// The file for outputs.
    pub output: Option<PathBuf>,
    /// The file for the job summary.
    pub summary: Option<PathBuf>,
    /// The file in which a main step leaves values to its post step.
    pub state: Option<PathBuf>,
    /// In a post step, the stage that its main step tracks, as JSON.
    pub tracked_stage: Option<String>,
    /// Whether the run was started with debug logging.
    pub debug: bool,
    /// How the job asks for its identity, if it may.
    pub identity: Option<IdentityRequest>,
    /// The event that started the run.
    pub event: Event,
    /// The clock of the step.
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
            tracked_stage: text(TRACKED_STAGE),
            debug: get("RUNNER_DEBUG") == Some("1"),
            identity: get(IDENTITY_URL)
                .zip(get(IDENTITY_TOKEN))
                .map(|(url, token)| IdentityRequest { url: url.to_owned(), token: token.to_owned().into() }),
            event: Event::read(get("GITHUB_EVENT_PATH"))?,
            clock,
        })
    }

    /// The page of this attempt of the run.
    #[must_use]
    pub fn run_url(&self) -> String {
        self.url_of_run(self.run, self.attempt)
    }

    /// The page of an attempt of a run of this repository.
    #[must_use]
    pub fn url_of_run(&self, run: RunId, attempt: u32) -> String {
        let url = format!("{}/{}/actions/runs/{run}", self.server_url, self.repository);
        if attempt > 1 { format!("{url}/attempts/{attempt}") } else { url }
    }

    /// The page of a job of a run of this repository, by the job's check run.
    #[must_use]
    pub fn url_of_job(&self, run: RunId, check_run: u64) -> String {
        format!("{}/job/{check_run}", self.url_of_run(run, 1))
    }

    /// The page of an issue.
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
