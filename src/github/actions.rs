//! Workflows and their runs: <https://docs.github.com/rest/actions>.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::api::{ApiError, EnterpriseRelease, Repeat};
use super::client::{GitHub, Request, path_part};
use super::error::GitHubError;
use super::pages::PAGE;
use super::remedy;
use super::time::{optional_time, time};
use crate::names::{GitRef, Login, RepoName, RunId, WorkflowFile};

/// A workflow run, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
pub struct WorkflowRun {
    /// Its id.
    pub id: RunId,
    /// The run in the browser.
    pub html_url: String,
    #[serde(default)]
    display_title: Option<String>,
    /// How far it is: `completed` when it has ended.
    #[serde(default)]
    pub status: Option<String>,
    /// How it ended, once it has.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// The newest attempt.
    #[serde(default)]
    pub run_attempt: Option<u32>,
    /// When it was created.
    #[serde(deserialize_with = "time")]
    pub created_at: DateTime<Utc>,
    /// When its newest attempt was asked for.
    #[serde(default, deserialize_with = "optional_time")]
    pub run_started_at: Option<DateTime<Utc>>,
    /// When it changed last.
    #[serde(default, deserialize_with = "optional_time")]
    pub updated_at: Option<DateTime<Utc>>,
    /// The file of its workflow, `.github/workflows/release.yml`; a ref may follow.
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    actor: Option<Actor>,
    /// By which event it was started.
    #[serde(default)]
    pub event: Option<String>,
    /// The branch or tag that it runs.
    #[serde(default)]
    pub head_branch: Option<String>,
    /// The repository of that branch: another one for a run of a fork, none where that was deleted.
    #[serde(default)]
    head_repository: Option<HeadRepository>,
    /// The id of its workflow.
    #[serde(default)]
    pub workflow_id: Option<u64>,
    /// Its number among the runs of its workflow.
    #[serde(default)]
    pub run_number: Option<u64>,
    /// The commit that it runs, in every attempt.
    #[serde(default)]
    pub head_sha: Option<String>,
}

/// A workflow, as GitHub knows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Workflow {
    id: u64,
    name: String,
    path: String,
}

impl Workflow {
    /// Its file below `.github/workflows`.
    #[must_use]
    pub fn file(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether `text` is another name of it: its own name or id, its file in another case or with another ending.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        let stem =
            |file: &str| file.to_lowercase().trim_end_matches(".yaml").trim_end_matches(".yml").to_owned();
        self.name.to_lowercase() == text.to_lowercase()
            || self.id.to_string() == text
            || stem(self.file()) == stem(text)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Actor {
    login: String,
}

#[derive(Debug, Clone, Deserialize)]
struct HeadRepository {
    full_name: String,
}

impl WorkflowRun {
    /// What the run is called; blank if it has no name.
    #[must_use]
    pub fn title(&self) -> &str {
        self.display_title.as_deref().unwrap_or_default()
    }

    /// Who started it.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_ref().map(|actor| actor.login.as_str())
    }

    /// Whether its branch is one of `repository`, and not of a fork.
    #[must_use]
    pub fn is_of_branch_in(&self, repository: &RepoName) -> bool {
        let head = self.head_repository.as_ref();
        head.is_some_and(|head| head.full_name.eq_ignore_ascii_case(&repository.to_string()))
    }

    /// Whether a `workflow_dispatch` at `git_ref` started it.
    fn is_dispatched_at(&self, git_ref: &GitRef) -> bool {
        self.event.as_deref() == Some("workflow_dispatch")
            && self.head_branch.as_deref() == Some(git_ref.short())
    }
}

/// The run that a start brought about.
#[derive(Debug, Clone, Deserialize)]
pub struct StartedRun {
    /// Its id.
    #[serde(rename = "workflow_run_id")]
    pub id: RunId,
    /// The run in the browser.
    pub html_url: String,
}

#[derive(Deserialize)]
struct ListedRuns {
    workflow_runs: Vec<WorkflowRun>,
}

/// The jobs of a run.
#[derive(Debug, Clone, Deserialize)]
pub struct RunJobs {
    /// How many there are so far.
    pub total_count: usize,
    /// The first hundred of them.
    pub jobs: Vec<RunJob>,
}

/// A job of a run, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
pub struct RunJob {
    /// Its id, which is that of its check run.
    #[serde(default)]
    pub id: Option<u64>,
    /// Its name.
    pub name: String,
    /// How far it is.
    #[serde(default)]
    pub status: Option<String>,
    /// How it ended.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// The job in the browser.
    #[serde(default)]
    pub html_url: Option<String>,
    /// The commit that it runs.
    #[serde(default)]
    pub head_sha: Option<String>,
    /// When it was created.
    #[serde(default, deserialize_with = "optional_time")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it began.
    #[serde(default, deserialize_with = "optional_time")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, deserialize_with = "optional_time")]
    pub completed_at: Option<DateTime<Utc>>,
    /// Its steps.
    #[serde(default)]
    pub steps: Vec<RunStep>,
}

impl RunJob {
    /// The first step that ended badly.
    #[must_use]
    pub fn failed_step(&self) -> Option<&RunStep> {
        self.steps.iter().find(|step| is_bad(step.conclusion.as_deref()))
    }

    /// Whether it has ended: GitHub has the logs of such jobs alone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    /// Whether the job or one of its steps ended badly.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        is_bad(self.conclusion.as_deref()) || self.failed_step().is_some()
    }
}

/// Whether this conclusion of a job or a step is a bad end.
fn is_bad(conclusion: Option<&str>) -> bool {
    matches!(conclusion, Some("failure" | "timed_out" | "startup_failure" | "cancelled"))
}

/// A step of a job, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
pub struct RunStep {
    /// Its name.
    pub name: String,
    /// Its number in the job, from 1.
    #[serde(default)]
    pub number: u64,
    /// How it ended.
    #[serde(default)]
    pub conclusion: Option<String>,
}

impl RunStep {
    /// The step on its job's page.
    #[must_use]
    pub fn url_on(&self, page: &str) -> String {
        format!("{page}#step:{}:1", self.number)
    }
}

/// An environment that a run waits for, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
pub struct PendingDeployment {
    environment: Environment,
    /// In minutes; none: 0.
    #[serde(default)]
    wait_timer: i64,
    #[serde(default, deserialize_with = "optional_time")]
    wait_timer_started_at: Option<DateTime<Utc>>,
    #[serde(default)]
    reviewers: Vec<Reviewer>,
}

#[derive(Debug, Clone, Deserialize)]
struct Environment {
    #[serde(default)]
    name: String,
}

/// A person with a login, or a team with a slug.
#[derive(Debug, Clone, Deserialize)]
struct Reviewer {
    reviewer: ReviewerName,
}

#[derive(Debug, Clone, Deserialize)]
struct ReviewerName {
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    slug: Option<String>,
}

impl PendingDeployment {
    /// The environment's name.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment.name
    }

    /// When its wait timer ends, where it has one.
    #[must_use]
    pub fn timer_ends(&self) -> Option<DateTime<Utc>> {
        let timer = TimeDelta::try_minutes(self.wait_timer).filter(|timer| *timer > TimeDelta::zero())?;
        self.wait_timer_started_at?.checked_add_signed(timer)
    }

    /// Who may approve: people, and teams of `owner`, whose repository it is.
    pub fn reviewers(&self, owner: &str) -> impl Iterator<Item = Login> {
        self.reviewers.iter().filter_map(move |Reviewer { reviewer }| {
            match (&reviewer.login, &reviewer.slug) {
                (Some(login), _) => Login::parse(login).filter(|login| !login.is_team()),
                (None, Some(slug)) => Login::parse(&format!("{owner}/{slug}")),
                (None, None) => None,
            }
        })
    }
}

/// A review of environments that a run waited for, as far as it is read. GitHub does not say when it was.
#[derive(Debug, Clone, Deserialize)]
pub struct Approval {
    #[serde(default)]
    environments: Vec<Environment>,
    /// `approved`, `rejected` or `pending`.
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    user: Option<Actor>,
}

impl Approval {
    /// The names of the environments.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        self.environments.iter().map(|environment| environment.name.as_str())
    }

    /// Who reviewed them.
    #[must_use]
    pub fn reviewer(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.login.as_str())
    }
}

/// What was asked for, or that it is still as it was.
#[derive(Debug, Clone)]
pub enum Fresh<T> {
    /// It is new, or has changed.
    Changed(T),
    /// It is as it was when the tag was given.
    Same,
}

/// What GitHub compares to tell whether something has changed
/// ([conditional requests](https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate)
/// that find it unchanged cost nothing of the rate limit).
pub type Tag = String;

/// The most pages that are read of a workflow's runs, a hundred to a page.
const PAGES_OF_RUNS: u32 = 10;

/// The most inputs that GitHub takes for a workflow.
const MOST_INPUTS: usize = 25;

/// The first release of GitHub Enterprise Server that takes so many, and what the releases before take.
const TAKES_MOST_INPUTS: EnterpriseRelease = (3, 21);
const MOST_INPUTS_BEFORE: usize = 10;

impl GitHub {
    /// How many inputs a workflow takes when it is started, on the server that has answered so far.
    #[must_use]
    pub fn most_inputs(&self) -> usize {
        let is_older = self.enterprise_release().is_some_and(|release| release < TAKES_MOST_INPUTS);
        if is_older { MOST_INPUTS_BEFORE } else { MOST_INPUTS }
    }

    /// The state of a workflow, `active` if it can be started; none if GitHub knows no such workflow.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn workflow_state(
        &self,
        repository: &RepoName,
        workflow: &WorkflowFile,
    ) -> Result<Option<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Reply {
            state: String,
        }
        let path = format!("/actions/workflows/{}", path_part(workflow.as_str()));
        let purpose = format!("show the state of `{workflow}` in {repository}");
        match self.send(Request::get(repository, path, purpose)).await {
            Ok(answer) => {
                let Reply { state } = answer.json()?;
                Ok(Some(state))
            }
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The workflows that GitHub knows in `repository`, at most the first hundred.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn workflows(&self, repository: &RepoName) -> Result<Vec<Workflow>, GitHubError> {
        #[derive(Deserialize)]
        struct Reply {
            workflows: Vec<Workflow>,
        }
        let path = format!("/actions/workflows?per_page={PAGE}");
        let purpose = format!("list the workflows of {repository}");
        let Reply { workflows } = self.send(Request::get(repository, path, purpose)).await?.json()?;
        Ok(workflows)
    }

    /// Cancels a run. One that has ended stays as it is, and may be cancelled again.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn cancel_run(&self, repository: &RepoName, run: RunId) -> Result<(), GitHubError> {
        let path = format!("/actions/runs/{run}/cancel");
        let purpose = format!("cancel run {run} of {repository}");
        match self.send(Request::new(Method::POST, repository, path, Repeat::Freely, purpose)).await {
            Err(error) if error.status() != Some(StatusCode::CONFLICT) => Err(error),
            _ => Ok(()),
        }
    }

    /// A run, if it has changed since it had `tag`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn run_since(
        &self,
        repository: &RepoName,
        run: RunId,
        tag: Option<&Tag>,
    ) -> Result<Fresh<(WorkflowRun, Option<Tag>)>, GitHubError> {
        self.fresh(run_request(repository, run).unless(tag)).await
    }

    /// The jobs of the newest attempt of a run, the first hundred, if they have changed since they
    /// had `tag`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn jobs_since(
        &self,
        repository: &RepoName,
        run: RunId,
        tag: Option<&Tag>,
    ) -> Result<Fresh<(RunJobs, Option<Tag>)>, GitHubError> {
        let path = format!("/actions/runs/{run}/jobs?per_page=100");
        let purpose = format!("list the jobs of run {run} of {repository}");
        self.fresh(Request::get(repository, path, purpose).unless(tag)).await
    }

    /// The environments that a run waits for.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn pending_deployments(
        &self,
        repository: &RepoName,
        run: RunId,
    ) -> Result<Vec<PendingDeployment>, GitHubError> {
        let path = format!("/actions/runs/{run}/pending_deployments");
        let purpose = format!("show what run {run} of {repository} waits for");
        Ok(self.send(Request::get(repository, path, purpose)).await?.json()?)
    }

    /// The reviews of environments in a run, in every attempt.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn approvals(&self, repository: &RepoName, run: RunId) -> Result<Vec<Approval>, GitHubError> {
        let path = format!("/actions/runs/{run}/approvals");
        let purpose = format!("list the reviews of run {run} of {repository}");
        Ok(self.send(Request::get(repository, path, purpose)).await?.json()?)
    }

    async fn fresh<T: DeserializeOwned>(
        &self,
        request: Request<'_>,
    ) -> Result<Fresh<(T, Option<Tag>)>, GitHubError> {
        let answer = self.send(request).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Fresh::Same);
        }
        Ok(Fresh::Changed((answer.json()?, answer.tag())))
    }

    /// Starts `workflow` in `repository` at `git_ref`, and says which run that is.
    ///
    /// Sent once: a repeated request would start a second run. After an unclear failure the caller
    /// looks for the run before asking again. A server that does not tell the run answers with none.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn start_workflow(
        &self,
        repository: &RepoName,
        workflow: &WorkflowFile,
        git_ref: &GitRef,
        inputs: &Map<String, Value>,
    ) -> Result<Option<StartedRun>, GitHubError> {
        let path = format!("/actions/workflows/{}/dispatches", path_part(workflow.as_str()));
        let purpose = format!("start `{workflow}` of {repository} at `{}`", git_ref.short());
        let request = |body| {
            let (path, purpose) = (path.clone(), purpose.clone());
            Request::new(Method::POST, repository, path, Repeat::Never, purpose).body(body)
        };
        let body = json!({ "ref": git_ref, "inputs": inputs, "return_run_details": true });
        let answer = match self.send(request(body)).await {
            // GHES before 3.21 does not know the field; a refusal had no effect.
            Err(GitHubError::Api(ApiError::Refused { message, .. }))
                if message.contains("return_run_details") =>
            {
                self.send(request(json!({ "ref": git_ref, "inputs": inputs }))).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|error| remedy::of_start(error, repository, workflow, git_ref))?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        Ok(Some(answer.json()?))
    }

    /// Sends an event of `event_type` to `repository`. GitHub does not tell what it starts.
    ///
    /// Sent once: a repeated request would be a second event.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn send_event(
        &self,
        repository: &RepoName,
        event_type: &str,
        payload: &Map<String, Value>,
    ) -> Result<(), GitHubError> {
        let body = json!({ "event_type": event_type, "client_payload": payload });
        let purpose = format!("send the event `{event_type}` to {repository}");
        let request = Request::new(Method::POST, repository, "/dispatches", Repeat::Never, purpose);
        let sent = self.send(request.body(body)).await;
        sent.map(drop).map_err(|error| remedy::of_event(error, repository))
    }

    /// The runs that a `workflow_dispatch` of `workflow` at `git_ref` started since `since`, newest first.
    ///
    /// The list of all runs is read and filtered here. A list with a filter is a search on GitHub's
    /// side: its index lags behind, and a run that was just started is missing from it. The
    /// newest thousand runs are read at most.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn dispatched_runs(
        &self,
        repository: &RepoName,
        workflow: &WorkflowFile,
        git_ref: &GitRef,
        since: DateTime<Utc>,
    ) -> Result<Vec<WorkflowRun>, GitHubError> {
        // GitHub's times have whole seconds.
        let since = since.trunc_subsecs(0);
        let mut runs: Vec<WorkflowRun> = Vec::new();
        for page in 1..=PAGES_OF_RUNS {
            let path =
                format!("/actions/workflows/{}/runs?per_page=100&page={page}", path_part(workflow.as_str()));
            let purpose = format!("list the runs of `{workflow}` in {repository}");
            let answer = self.send(Request::get(repository, path, purpose)).await?;
            let ListedRuns { workflow_runs } = answer.json()?;
            let is_older = workflow_runs.last().is_none_or(|oldest| oldest.created_at < since);
            for run in workflow_runs {
                // New runs move those before them to the next page, where they are listed again.
                let is_known = runs.iter().any(|known| known.id == run.id);
                if run.is_dispatched_at(git_ref) && run.created_at >= since && !is_known {
                    runs.push(run);
                }
            }
            if is_older || !answer.has_next_page() {
                break;
            }
        }
        Ok(runs)
    }

    /// The newest fifty runs of a workflow, newest first.
    ///
    /// They are those of all branches: a list with a filter comes from an index that may be days behind.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn newest_runs(
        &self,
        repository: &RepoName,
        workflow: u64,
    ) -> Result<Vec<WorkflowRun>, GitHubError> {
        let path = format!("/actions/workflows/{workflow}/runs?per_page=50&exclude_pull_requests=true");
        let purpose = format!("list the last runs of the workflow in {repository}");
        let ListedRuns { workflow_runs } =
            self.send(Request::get(repository, path, purpose)).await?.json()?;
        Ok(workflow_runs)
    }

    /// A run; none if it is not there (any more).
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn run(&self, repository: &RepoName, run: RunId) -> Result<Option<WorkflowRun>, GitHubError> {
        match self.send(run_request(repository, run)).await {
            Ok(answer) => Ok(Some(answer.json()?)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The jobs of an attempt of a run; the first hundred.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn jobs(
        &self,
        repository: &RepoName,
        run: RunId,
        attempt: u32,
    ) -> Result<Vec<RunJob>, GitHubError> {
        let path = format!("/actions/runs/{run}/attempts/{attempt}/jobs?per_page=100");
        let purpose = format!("list the jobs of run {run} of {repository}");
        let reply: RunJobs = self.send(Request::get(repository, path, purpose)).await?.json()?;
        Ok(reply.jobs)
    }
}

fn run_request(repository: &RepoName, run: RunId) -> Request<'_> {
    let path = format!("/actions/runs/{run}");
    Request::get(repository, path, format!("show run {run} of {repository}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_has_other_names_than_that_of_its_file() {
        let workflow: Workflow = serde_json::from_value(json!({
            "id": 7_100, "name": "Ship it", "path": ".github/workflows/release.yml", "state": "active",
        }))
        .expect("a workflow");
        assert_eq!(workflow.file(), "release.yml");
        for name in ["Ship it", "ship IT", "7100", "release", "Release.yml", "release.yaml"] {
            assert!(workflow.is_called(name), "{name}");
        }
        for name in ["ship", "710", "releases.yml", "release.yml.bak", ""] {
            assert!(!workflow.is_called(name), "{name}");
        }
    }
}
