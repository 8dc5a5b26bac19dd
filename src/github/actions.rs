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

/// The fields of a workflow run that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct WorkflowRun {
    /// Its id.
    pub id: RunId,
    /// The run in the browser.
    pub html_url: String,
    #[serde(default)]
    display_title: Option<String>,
    /// Its state: `completed` when it has ended.
    #[serde(default)]
    pub status: Option<String>,
    /// Its result, when it has ended.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// The newest attempt.
    #[serde(default)]
    pub run_attempt: Option<u32>,
    /// When it was created.
    #[serde(deserialize_with = "time")]
    pub created_at: DateTime<Utc>,
    /// When its newest attempt was requested.
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
    /// The event that started it.
    #[serde(default)]
    pub event: Option<String>,
    /// The branch or tag that it runs.
    #[serde(default)]
    pub head_branch: Option<String>,
    /// The repository of that branch: another one for a run of a fork, none if that was deleted.
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

/// A workflow in GitHub's list.
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

    /// Whether `text` is another name for it: its name, its id, or its file in another case or with another ending.
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
    /// The run's title; blank if it has none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.display_title.as_deref().unwrap_or_default()
    }

    /// The login that started it.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_ref().map(|actor| actor.login.as_str())
    }

    /// Whether its branch is in `repository`, and not in a fork.
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

/// The run of a start.
#[derive(Debug, Clone, Deserialize)]
pub struct StartedRun {
    /// Its id.
    #[serde(rename = "workflow_run_id")]
    pub id: RunId,
    /// The run in the browser.
    pub html_url: String,
}

#[derive(Deserialize)]
struct RunList {
    workflow_runs: Vec<WorkflowRun>,
}

/// The jobs of a run.
#[derive(Debug, Clone, Deserialize)]
pub struct RunJobs {
    /// The number of jobs so far.
    pub total_count: usize,
    /// The first hundred of them.
    pub jobs: Vec<RunJob>,
}

/// The fields of a job that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct RunJob {
    /// Its id, which is also the id of its check run.
    #[serde(default)]
    pub id: Option<u64>,
    /// Its name.
    pub name: String,
    /// Its state: `completed` when it has ended.
    #[serde(default)]
    pub status: Option<String>,
    /// Its result, when it has ended.
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
    /// The first step that failed, timed out or was cancelled.
    #[must_use]
    pub fn failed_step(&self) -> Option<&RunStep> {
        self.steps.iter().find(|step| is_bad(step.conclusion.as_deref()))
    }

    /// Whether it has ended: GitHub has the logs of ended jobs only.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    /// Whether the job or one of its steps failed, timed out or was cancelled.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        is_bad(self.conclusion.as_deref()) || self.failed_step().is_some()
    }
}

fn is_bad(conclusion: Option<&str>) -> bool {
    matches!(conclusion, Some("failure" | "timed_out" | "startup_failure" | "cancelled"))
}

/// The fields of a step that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct RunStep {
    /// Its name.
    pub name: String,
    /// Its number in the job, from 1.
    #[serde(default)]
    pub number: u64,
    /// Its result, when it has ended.
    #[serde(default)]
    pub conclusion: Option<String>,
}

impl RunStep {
    /// The address of the step on its job's page.
    #[must_use]
    pub fn url_on(&self, page: &str) -> String {
        format!("{page}#step:{}:1", self.number)
    }
}

/// An environment for which a run waits.
#[derive(Debug, Clone, Deserialize)]
pub struct PendingDeployment {
    environment: Environment,
    /// In minutes; 0 without a timer.
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

    /// When its wait timer ends; none if it has no timer.
    #[must_use]
    pub fn timer_end(&self) -> Option<DateTime<Utc>> {
        let timer = TimeDelta::try_minutes(self.wait_timer).filter(|timer| *timer > TimeDelta::zero())?;
        self.wait_timer_started_at?.checked_add_signed(timer)
    }

    /// The people and teams that may approve; `owner` of the repository is the organization of the teams.
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

/// A review of environments for which a run waited. GitHub does not report its time.
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

    /// The login of the reviewer.
    #[must_use]
    pub fn reviewer(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.login.as_str())
    }
}

/// The answer to a question for changes.
#[derive(Debug, Clone)]
pub enum Fresh<T> {
    /// The object, which is new or has changed.
    Changed(T),
    /// The object has not changed since it had the tag.
    Same,
}

/// The tag by which GitHub recognizes a change
/// ([conditional requests](https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate)
/// for an unchanged object cost nothing of the rate limit).
pub type Tag = String;

/// The most pages that are read of a workflow's runs, a hundred to a page.
const PAGES_OF_RUNS: u32 = 10;

/// The most inputs of a workflow.
const MOST_INPUTS: usize = 25;

/// The first release of GitHub Enterprise Server with that limit, and the limit of earlier releases.
const TAKES_MOST_INPUTS: EnterpriseRelease = (3, 21);
const MOST_INPUTS_BEFORE: usize = 10;

impl GitHub {
    /// The most inputs of a start, on the server that has answered so far.
    #[must_use]
    pub fn most_inputs(&self) -> usize {
        let is_older = self.enterprise_release().is_some_and(|release| release < TAKES_MOST_INPUTS);
        if is_older { MOST_INPUTS_BEFORE } else { MOST_INPUTS }
    }

    /// The state of a workflow, `active` if it can be started; none if the workflow does not exist.
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
        let reply: Option<Reply> = self.find(Request::get(repository, path, purpose)).await?;
        Ok(reply.map(|reply| reply.state))
    }

    /// The workflows of `repository`, at most the first hundred.
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

    /// Cancels a run; may be repeated. A run that has ended stays as it is.
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
        self.send_if_changed(run_request(repository, run).tag(tag)).await
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
        self.send_if_changed(Request::get(repository, path, purpose).tag(tag)).await
    }

    /// The environments for which a run waits.
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

    async fn send_if_changed<T: DeserializeOwned>(
        &self,
        request: Request<'_>,
    ) -> Result<Fresh<(T, Option<Tag>)>, GitHubError> {
        let answer = self.send(request).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Fresh::Same);
        }
        Ok(Fresh::Changed((answer.json()?, answer.tag())))
    }

    /// Starts `workflow` in `repository` at `git_ref`, and returns its run.
    ///
    /// Sent once: a repeated request would start a second run. After an unclear failure the caller
    /// looks for the run before it asks again. None if the server does not report the run.
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

    /// Sends an event of `event_type` to `repository`. GitHub does not report the runs that it starts.
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
        let result = self.send(request.body(body)).await;
        result.map(drop).map_err(|error| remedy::of_event(error, repository))
    }

    /// The runs that a `workflow_dispatch` of `workflow` at `git_ref` started since `since`, newest first.
    ///
    /// The list of all runs is read and filtered here. For a list with a filter GitHub uses a search, whose index
    /// lags behind: a new run is missing from it. The newest thousand runs are read at most.
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
            let RunList { workflow_runs } = answer.json()?;
            let is_older = workflow_runs.last().is_none_or(|oldest| oldest.created_at < since);
            for run in workflow_runs {
                // New runs move older ones to the next page, which lists them again.
                let is_known = runs.iter().any(|other| other.id == run.id);
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
    /// The list has all branches: a list with a filter comes from an index that may be days behind.
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
        let RunList { workflow_runs } = self.send(Request::get(repository, path, purpose)).await?.json()?;
        Ok(workflow_runs)
    }

    /// A run; none if it does not exist (any more).
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn run(&self, repository: &RepoName, run: RunId) -> Result<Option<WorkflowRun>, GitHubError> {
        self.find(run_request(repository, run)).await
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
