//! Workflow runs and their jobs, as values that a test can look at and change.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::environment::Environment;

/// A workflow run at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// Its id, unique in the world and growing.
    pub id: u64,
    /// Its repository, `owner/name`.
    pub repository: String,
    /// The workflow's file name, such as `release.yml`.
    pub workflow: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// Its branch or tag, without `refs/heads/`.
    pub git_ref: String,
    /// The hash of its commit.
    pub head_sha: String,
    /// Its event, such as `workflow_dispatch`.
    pub event: String,
    /// The inputs of a `workflow_dispatch`, with defaults. All values are texts.
    pub inputs: Map<String, Value>,
    /// The type of a `repository_dispatch`.
    pub event_type: Option<String>,
    /// The payload of a `repository_dispatch`, or else null.
    pub client_payload: Value,
    /// The login that started the first attempt.
    pub actor: String,
    /// The login that started the latest attempt.
    pub triggering_actor: String,
    /// `queued`, `in_progress`, `completed`, `waiting`, `requested` or `pending`.
    pub status: String,
    /// Its conclusion, if it is `completed`.
    pub conclusion: Option<String>,
    /// The number of the attempt, from 1.
    pub attempt: u64,
    /// Its number among the runs of its workflow.
    pub number: u64,
    /// Its title on pages: the workflow's `run-name`, or else its name.
    pub name: String,
    /// The time at which the first attempt was created.
    pub created_at: DateTime<Utc>,
    /// The start of the latest attempt.
    pub started_at: DateTime<Utc>,
    /// The time of its last change.
    pub updated_at: DateTime<Utc>,
    /// The jobs of the latest attempt.
    pub jobs: Vec<Job>,
    /// The reviews of its environments, in every attempt.
    pub approvals: Vec<Approval>,
    /// The earlier attempts, the oldest first.
    pub earlier: Vec<Run>,
}

impl Run {
    /// Whether it has ended.
    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }

    /// The run in an attempt, the latest included.
    pub fn in_attempt(&self, attempt: u64) -> Option<&Run> {
        if attempt == self.attempt {
            return Some(self);
        }
        self.earlier.iter().find(|run| run.attempt == attempt)
    }

    /// The jobs that wait for an environment, and the environments.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&Job, &Environment)> {
        let waiting = self.jobs.iter().filter(|job| job.status == "waiting");
        waiting.filter_map(|job| Some((job, job.environment.as_ref()?)))
    }

    /// Makes the run `waiting` if a job waits for an environment and no job is queued or in progress.
    pub(crate) fn wait(&mut self) {
        let is_at_work = self.jobs.iter().any(|job| matches!(&*job.status, "in_progress" | "queued"));
        if self.waiting().next().is_some() && !is_at_work && !self.is_completed() {
            self.status = "waiting".into();
        }
    }

    /// The first person among the reviewers of an environment, or else the repository's owner.
    pub(crate) fn reviewer_of(&self, environment: &str) -> String {
        let mut waiting = self.waiting().filter(|(_, waits)| waits.name == environment);
        let reviewers = waiting.next().map(|(_, waits)| waits.reviewers.as_slice()).unwrap_or_default();
        let owner = || self.repository.split('/').next().unwrap_or_default().to_owned();
        reviewers.iter().find(|name| !name.contains('/')).cloned().unwrap_or_else(owner)
    }

    /// Approves an environment. Its jobs go on unless its wait timer is still running.
    pub(crate) fn approve(&mut self, environment: &str, by: &str, now: DateTime<Utc>) {
        self.approvals.push(Approval { environment: environment.into(), by: by.into() });
        self.let_go(environment, |since, environment| {
            environment.reviewers.clear();
            environment.is_over(since, now)
        });
    }

    /// Queues the jobs that wait for an environment and may go on.
    pub(crate) fn let_go(
        &mut self,
        environment: &str,
        may_go_on: impl Fn(Option<DateTime<Utc>>, &mut Environment) -> bool,
    ) {
        for job in self.jobs.iter_mut().filter(|job| job.status == "waiting") {
            let waits = job.environment.as_mut().filter(|waits| waits.name == environment);
            if waits.is_some_and(|environment| may_go_on(job.started_at, environment)) {
                job.status = "queued".into();
                self.status = "in_progress".into();
            }
        }
    }

    /// Ends the run and its unfinished jobs.
    pub(crate) fn finish(&mut self, conclusion: &str, at: DateTime<Utc>) {
        self.status = "completed".into();
        self.conclusion = Some(conclusion.into());
        self.updated_at = at;
        for job in self.jobs.iter_mut().filter(|job| !job.is_completed()) {
            job.status = "completed".into();
            job.conclusion = Some(conclusion.into());
            job.completed_at = Some(at);
        }
    }

    /// Queues another attempt, with the jobs for which `keep` is true.
    pub(crate) fn restart(&mut self, by: &str, at: DateTime<Utc>, keep: impl Fn(&Job) -> bool) {
        let mut past = self.clone();
        past.earlier.clear();
        self.earlier.push(past);
        self.attempt += 1;
        self.status = "queued".into();
        self.conclusion = None;
        self.triggering_actor = by.into();
        self.started_at = at;
        self.updated_at = at;
        self.jobs.retain(keep);
    }
}

/// A review of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Approval {
    /// The environment.
    pub environment: String,
    /// The login of the reviewer.
    pub by: String,
}

/// A job of a run.
///
/// Build one with [`Job::new`] and change the fields that matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Its id. Zero before the world gives it one.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `queued`, `in_progress`, `completed`, `waiting`, `requested` or `pending`.
    pub status: String,
    /// Its conclusion, if it is `completed`.
    pub conclusion: Option<String>,
    /// The time of its creation. The world fills it in.
    pub created_at: Option<DateTime<Utc>>,
    /// The time of its start. The world fills it in.
    pub started_at: Option<DateTime<Utc>>,
    /// The time of its end. The world fills it in for a completed job.
    pub completed_at: Option<DateTime<Utc>>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// The environment that it waits for while it is `waiting`.
    pub environment: Option<Environment>,
    /// The annotations of its steps.
    pub annotations: Vec<Annotation>,
    /// Its log, which can be read after its end. `None` if GitHub has deleted it.
    #[serde(skip)]
    pub log: Option<Arc<[u8]>>,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            id: 0,
            name: "job".into(),
            status: "queued".into(),
            conclusion: None,
            created_at: None,
            started_at: None,
            completed_at: None,
            steps: Vec::new(),
            environment: None,
            annotations: Vec::new(),
            log: Some(Arc::default()),
        }
    }
}

impl Job {
    /// A queued job without steps.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The same job, running.
    pub fn running(self) -> Self {
        Self { status: "in_progress".into(), ..self }
    }

    /// The same job, waiting for an environment.
    pub fn waiting_for(self, environment: Environment) -> Self {
        Self { status: "waiting".into(), environment: Some(environment), ..self }
    }

    /// The same job, completed with this conclusion.
    pub fn conclusion(self, conclusion: impl Into<String>) -> Self {
        Self { status: "completed".into(), conclusion: Some(conclusion.into()), ..self }
    }

    /// The same job, with one more step that has this conclusion.
    pub fn step(mut self, name: impl Into<String>, conclusion: impl Into<String>) -> Self {
        let number = self.steps.len() as u64 + 1;
        self.steps.push(Step {
            name: name.into(),
            number,
            status: "completed".into(),
            conclusion: Some(conclusion.into()),
        });
        self
    }

    /// The same job, with one more annotation of a line. The level is `failure`, `warning` or `notice`.
    pub fn annotation(mut self, level: &str, path: &str, line: u64, message: &str) -> Self {
        let (path, message) = (path.to_owned(), message.to_owned());
        self.annotations.push(Annotation { level: level.to_owned(), path, line, message });
        self
    }

    /// The same job, with this log.
    pub fn log(self, log: impl Into<Vec<u8>>) -> Self {
        Self { log: Some(log.into().into()), ..self }
    }

    /// The same job, with a deleted log.
    pub fn without_log(self) -> Self {
        Self { log: None, ..self }
    }

    /// Whether it has ended.
    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}

/// An annotation of a line, from a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Annotation {
    /// `failure`, `warning` or `notice`.
    pub level: String,
    /// Its file; `.github` for none.
    pub path: String,
    /// Its line.
    pub line: u64,
    /// Its text.
    pub message: String,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its place in the job, from 1.
    pub number: u64,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// Its conclusion, if it is `completed`.
    pub conclusion: Option<String>,
}

impl Default for Step {
    fn default() -> Self {
        Self { name: "step".into(), number: 1, status: "queued".into(), conclusion: None }
    }
}
