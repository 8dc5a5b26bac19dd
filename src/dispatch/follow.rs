//! Following runs to their end: the state of each run and its jobs in GitHub's own words, with as few requests as
//! possible.
//!
//! While a run has jobs at work, GitHub is asked for the jobs alone, else for the run alone. Each request carries the
//! tag of the last answer, so that an unchanged answer costs nothing of the rate limit. The reviewers of a run that
//! waits are asked for once after each change.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::engine::step::{Sighting, TargetRun};
use crate::explain;
use crate::github::actions::{Fresh, PendingDeployment, RunJob, RunJobs, Tag, WorkflowRun};
use crate::github::{GitHub, GitHubError};
use crate::names::{RepoName, TargetName};
use crate::ticket::{FollowedJob, FollowedRun, Review};

/// The number of a run's environments that are recorded.
const MOST_REVIEWS: usize = 4;

/// The number of questions for the environments that a run waits for, after a change: an empty answer may be older than
/// the run's state.
const QUESTIONS_A_CHANGE: u8 = 3;

/// The last answers about the runs that this step follows.
#[derive(Debug, Default)]
pub(super) struct Follower {
    snapshots: BTreeMap<TargetName, RunSnapshot>,
}

/// GitHub's last answers about a run.
#[derive(Debug)]
pub(super) struct RunSnapshot {
    of: TargetRun,
    run: Option<WorkflowRun>,
    run_tag: Option<Tag>,
    jobs: Option<RunJobs>,
    jobs_tag: Option<Tag>,
    /// The environments that it waits for.
    reviews: Vec<Review>,
    /// The number of questions for them that are left.
    questions: u8,
    /// The last failed job whose log was read, and its error line.
    error: Option<(u64, Option<String>)>,
    /// The time of the last change in the answers.
    since: DateTime<Utc>,
}

impl Follower {
    /// Takes out the snapshot of a run, for a look that updates it.
    pub(super) fn take(&mut self, of: &TargetRun, github: &GitHub) -> RunSnapshot {
        match self.snapshots.remove(&of.target) {
            Some(snapshot) if snapshot.of == *of => snapshot,
            _ => RunSnapshot::new(of.clone(), github.clock().now()),
        }
    }

    pub(super) fn put_back(&mut self, snapshot: RunSnapshot) {
        self.snapshots.insert(snapshot.of.target.clone(), snapshot);
    }
}

impl RunSnapshot {
    fn new(of: TargetRun, now: DateTime<Utc>) -> Self {
        Self {
            of,
            run: None,
            run_tag: None,
            jobs: None,
            jobs_tag: None,
            reviews: Vec::new(),
            questions: QUESTIONS_A_CHANGE,
            error: None,
            since: now,
        }
    }

    pub(super) fn of(&self) -> &TargetRun {
        &self.of
    }

    /// Asks GitHub for the state of the run and its jobs.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or does not answer.
    pub(super) async fn look(&mut self, github: &GitHub) -> Result<(), GitHubError> {
        if self.has_jobs_at_work() {
            self.look_at_jobs(github).await?;
        }
        if !self.has_jobs_at_work() {
            let has_changed = self.look_at_run(github).await?;
            if self.is("in_progress") || has_changed && !self.needs_no_jobs() {
                self.look_at_jobs(github).await?;
            }
        }
        self.look_at_reviews(github).await;
        Ok(())
    }

    /// Asks once for the error line of a failed run's main job, for the readers of `place`.
    pub(super) async fn ask_why(&mut self, place: &RepoName, github: &GitHub) {
        let has_failed = self
            .run
            .as_ref()
            .is_some_and(|run| matches!(run.conclusion.as_deref(), Some("failure" | "timed_out")));
        let jobs = self.jobs.as_ref().map(|jobs| jobs.jobs.as_slice()).unwrap_or_default();
        let Some(job) = main_job(jobs).filter(|job| has_failed && job.has_failed()) else { return };
        let Some(id) = job.id.filter(|id| self.error.as_ref().is_none_or(|(last, _)| last != id)) else {
            return;
        };
        let error = explain::error_line(&self.of.repository, job, place, github).await;
        self.error = Some((id, error));
    }

    fn error_of(&self, job: &RunJob) -> Option<String> {
        self.error.as_ref().filter(|(id, _)| Some(*id) == job.id)?.1.clone()
    }

    /// Whether the run has changed.
    async fn look_at_run(&mut self, github: &GitHub) -> Result<bool, GitHubError> {
        let TargetRun { repository, run, .. } = &self.of;
        let Fresh::Changed((run, tag)) = github.run_since(repository, *run, self.run_tag.as_ref()).await?
        else {
            return Ok(false);
        };
        let attempt = |run: &WorkflowRun| run.run_attempt;
        if self.run.as_ref().map(attempt) != Some(attempt(&run)) {
            (self.jobs, self.jobs_tag) = (None, None);
        }
        (self.run, self.run_tag, self.since) = (Some(run), tag, github.clock().now());
        self.questions = QUESTIONS_A_CHANGE;
        Ok(true)
    }

    async fn look_at_jobs(&mut self, github: &GitHub) -> Result<(), GitHubError> {
        let TargetRun { repository, run, .. } = &self.of;
        let jobs = github.jobs_since(repository, *run, self.jobs_tag.as_ref()).await?;
        if let Fresh::Changed((jobs, tag)) = jobs {
            (self.jobs, self.jobs_tag, self.since) = (Some(jobs), tag, github.clock().now());
            self.questions = QUESTIONS_A_CHANGE;
        }
        Ok(())
    }

    /// Asks for the environments that the run waits for: once after each change, and at the end of a wait timer.
    ///
    /// They are details. So after a refusal they stay unknown, and after a bad answer the next look asks again.
    async fn look_at_reviews(&mut self, github: &GitHub) {
        if !self.waits_for_environment() {
            self.reviews.clear();
            return;
        }
        let now = github.clock().now();
        let has_ended = |review: &Review| review.timer_ends.is_some_and(|end| end <= now);
        if self.questions == 0 && !self.reviews.iter().any(has_ended) {
            return;
        }
        let TargetRun { target, repository, run } = &self.of;
        let answer = github.pending_deployments(repository, *run).await;
        let answer = answer.inspect_err(|error| {
            tracing::info!("GitHub does not say who reviews {target}, run {run} of {repository}: {error}");
        });
        let (reviews, questions) = match answer {
            Ok(pending) if pending.is_empty() => (Vec::new(), self.questions.saturating_sub(1)),
            Ok(pending) => (reviews(&pending, repository, now), 0),
            Err(error) if error.is_final() => (Vec::new(), 0),
            Err(_) => return,
        };
        self.questions = questions;
        if self.reviews != reviews {
            (self.reviews, self.since) = (reviews, now);
        }
    }

    /// Whether an environment delays the run, or one of its jobs while others are at work.
    fn waits_for_environment(&self) -> bool {
        let mut jobs = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        self.is(WAITING) || self.is("in_progress") && jobs.any(waits)
    }

    fn is(&self, status: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.status.as_deref() == Some(status))
    }

    /// Whether the jobs add nothing to the run's state: it has not begun, or all went well.
    fn needs_no_jobs(&self) -> bool {
        self.run.as_ref().is_none_or(|run| match run.status.as_deref() {
            Some(WAITING) => false,
            Some("completed") => run.conclusion.as_deref() == Some("success"),
            _ => true,
        })
    }

    fn has_jobs_at_work(&self) -> bool {
        let mut jobs = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        self.is("in_progress") && jobs.any(|job| job.status.as_deref() == Some("in_progress"))
    }

    /// The run by the last answers; `None` before the first one.
    pub(super) fn sighting(&self) -> Option<Sighting> {
        let run = self.run.as_ref()?;
        Some(Sighting {
            run: self.followed_run(run),
            workflow: run.path.clone(),
            created_at: run.created_at,
            changed_at: self.changed_at(run),
            title: run.title().to_owned(),
            actor: run.actor().map(str::to_owned),
            event: run.event.clone(),
            head_sha: run.head_sha.clone(),
        })
    }

    /// The time of the last change of the run or its jobs, by GitHub's clock.
    fn changed_at(&self, run: &WorkflowRun) -> DateTime<Utc> {
        let jobs = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        let times = jobs.flat_map(|job| [job.started_at, job.completed_at]).flatten();
        times.chain(run.updated_at).max().unwrap_or(run.created_at)
    }

    fn followed_run(&self, run: &WorkflowRun) -> FollowedRun {
        let TargetRun { target, repository, run: id } = &self.of;
        let attempt = run.run_attempt.unwrap_or(1);
        let jobs = self.jobs.as_ref();
        let job_list = jobs.map(|jobs| jobs.jobs.as_slice()).unwrap_or_default();
        let followed_run = FollowedRun {
            target: target.clone(),
            repository: repository.clone(),
            run: *id,
            attempt,
            run_url: if attempt > 1 {
                format!("{}/attempts/{attempt}", run.html_url)
            } else {
                run.html_url.clone()
            },
            status: run.status.clone().unwrap_or_else(|| "unknown".to_owned()),
            conclusion: run.conclusion.clone(),
            job: None,
            jobs: jobs.map_or(0, |jobs| jobs.total_count),
            ended_jobs: job_list.iter().filter(|job| job.has_ended()).count(),
            reviews: self.reviews.clone(),
            reports: 0,
            at: self.since,
            other: Map::new(),
        };
        let waiting_job = job_list.iter().find(|job| followed_run.needs_review() && waits(job));
        let job = waiting_job.or_else(|| main_job(job_list));
        let job = job.map(|job| FollowedJob { error: self.error_of(job), ..FollowedJob::from(job) });
        FollowedRun { job, ..followed_run }
    }
}

const WAITING: &str = "waiting";

/// Whether an environment delays the job.
fn waits(job: &RunJob) -> bool {
    job.status.as_deref() == Some(WAITING)
}

/// The environments that a run waits for, those with reviewers first. A wait timer that has ended does not count.
fn reviews(pending: &[PendingDeployment], repository: &RepoName, now: DateTime<Utc>) -> Vec<Review> {
    let reviews = pending.iter().map(|pending| {
        let timer_ends = pending.timer_end().filter(|end| *end > now);
        Review::new(pending.environment(), pending.reviewers(repository.owner()), timer_ends)
    });
    let mut reviews: Vec<Review> = reviews.collect();
    reviews.sort_by_cached_key(|review| {
        (review.reviewers.is_empty(), review.is_timer(), review.environment.clone())
    });
    reviews.truncate(MOST_REVIEWS);
    reviews
}

/// The job that says most about the run: one that failed, else one that runs, else one that has not begun.
fn main_job(jobs: &[RunJob]) -> Option<&RunJob> {
    let first = |fits: &dyn Fn(&RunJob) -> bool| jobs.iter().find(|job| fits(job));
    first(&|job| {
        !matches!(job.conclusion.as_deref(), None | Some("success" | "skipped" | "neutral" | "cancelled"))
    })
    .or_else(|| first(&|job| job.conclusion.as_deref() == Some("cancelled")))
    .or_else(|| first(&|job| job.status.as_deref() == Some("in_progress")))
    .or_else(|| first(&|job| !job.has_ended()))
}
