//! Following runs to their end: what they and their jobs do, in GitHub's own words, asked as cheaply
//! as it goes.
//!
//! While a run has jobs that are at work only the jobs are asked for, else only the run; and both with
//! the tag of the last answer, so that what has not changed costs nothing of the rate limit. Who has to
//! approve a run that waits is asked once a change.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::engine::step::{RunOf, Sighting};
use crate::explain;
use crate::github::actions::{Fresh, PendingDeployment, RunJob, RunJobs, Tag, WorkflowRun};
use crate::github::{GitHub, GitHubError};
use crate::names::{RepoName, TargetName};
use crate::ticket::{FollowedJob, FollowedRun, Review};

/// So many environments of a run are recorded.
const MOST_REVIEWS: usize = 4;

/// So often GitHub is asked what a run waits for, until it has an answer: the run may be newer than the answer.
const QUESTIONS_A_CHANGE: u8 = 3;

/// What is known of the runs that were looked at.
#[derive(Debug, Default)]
pub(super) struct Follower {
    seen: BTreeMap<TargetName, Seen>,
}

/// A run as it was last seen.
#[derive(Debug)]
pub(super) struct Seen {
    of: RunOf,
    run: Option<WorkflowRun>,
    run_tag: Option<Tag>,
    jobs: Option<RunJobs>,
    jobs_tag: Option<Tag>,
    /// The environments that it waits for.
    reviews: Vec<Review>,
    /// How often GitHub is still asked for them.
    questions: u8,
    /// The job that was asked last why it failed, and what it said.
    error: Option<(u64, Option<String>)>,
    /// When it was first seen as it is.
    since: DateTime<Utc>,
}

impl Follower {
    /// What is known of a run, for a look that updates it.
    pub(super) fn take(&mut self, of: &RunOf, github: &GitHub) -> Seen {
        match self.seen.remove(&of.target) {
            Some(seen) if seen.of == *of => seen,
            _ => Seen::new(of.clone(), github.clock().now()),
        }
    }

    /// Keeps what a look has updated.
    pub(super) fn put_back(&mut self, seen: Seen) {
        self.seen.insert(seen.of.target.clone(), seen);
    }
}

impl Seen {
    fn new(of: RunOf, now: DateTime<Utc>) -> Self {
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

    /// Which run.
    pub(super) fn of(&self) -> &RunOf {
        &self.of
    }

    /// Asks GitHub how the run and its jobs stand.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub(super) async fn look(&mut self, github: &GitHub) -> Result<(), GitHubError> {
        if self.has_jobs_at_work() {
            self.look_at_jobs(github).await?;
        }
        if !self.has_jobs_at_work() {
            let changed = self.look_at_run(github).await?;
            if self.is("in_progress") || changed && !self.is_dull() {
                self.look_at_jobs(github).await?;
            }
        }
        self.look_at_reviews(github).await;
        Ok(())
    }

    /// Asks once why the job failed that tells most of a run that has failed, for the readers of `place`.
    pub(super) async fn ask_why(&mut self, place: &RepoName, github: &GitHub) {
        let has_failed = self
            .run
            .as_ref()
            .is_some_and(|run| matches!(run.conclusion.as_deref(), Some("failure" | "timed_out")));
        let listed = self.jobs.as_ref().map(|jobs| jobs.jobs.as_slice()).unwrap_or_default();
        let Some(job) = telling(listed).filter(|job| has_failed && job.has_failed()) else { return };
        let Some(id) = job.id.filter(|id| self.error.as_ref().is_none_or(|(known, _)| known != id)) else {
            return;
        };
        let error = explain::error_line(&self.of.repository, job, place, github).await;
        self.error = Some((id, error));
    }

    /// What the job said when it was asked why it failed.
    fn error_of(&self, job: &RunJob) -> Option<String> {
        self.error.as_ref().filter(|(id, _)| Some(*id) == job.id)?.1.clone()
    }

    /// Says whether the run has changed.
    async fn look_at_run(&mut self, github: &GitHub) -> Result<bool, GitHubError> {
        let RunOf { repository, run, .. } = &self.of;
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
        let RunOf { repository, run, .. } = &self.of;
        let jobs = github.jobs_since(repository, *run, self.jobs_tag.as_ref()).await?;
        if let Fresh::Changed((jobs, tag)) = jobs {
            (self.jobs, self.jobs_tag, self.since) = (Some(jobs), tag, github.clock().now());
            self.questions = QUESTIONS_A_CHANGE;
        }
        Ok(())
    }

    /// Asks for the environments that the run waits for: once a change, and when a wait timer is over.
    ///
    /// They only say more of what is known. So a refusal means that nobody knows them, and a bad answer that the
    /// next look asks again.
    async fn look_at_reviews(&mut self, github: &GitHub) {
        if !self.waits_for_environment() {
            self.reviews.clear();
            return;
        }
        let now = github.clock().now();
        let is_over = |review: &Review| review.timer_ends.is_some_and(|ends| ends <= now);
        if self.questions == 0 && !self.reviews.iter().any(is_over) {
            return;
        }
        let RunOf { target, repository, run } = &self.of;
        let answer = github.pending_deployments(repository, *run).await;
        let answer = answer.inspect_err(|error| {
            tracing::info!("GitHub does not say who reviews {target}, run {run} of {repository}: {error}");
        });
        let (reviews, left) = match answer {
            Ok(pending) if pending.is_empty() => (Vec::new(), self.questions.saturating_sub(1)),
            Ok(pending) => (reviews(&pending, repository, now), 0),
            Err(error) if error.is_final() => (Vec::new(), 0),
            Err(_) => return,
        };
        self.questions = left;
        if self.reviews != reviews {
            (self.reviews, self.since) = (reviews, now);
        }
    }

    /// Whether an environment keeps the run, or one of its jobs while others are at work.
    fn waits_for_environment(&self) -> bool {
        let mut jobs = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        self.is(WAITING) || self.is("in_progress") && jobs.any(waits)
    }

    fn is(&self, status: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.status.as_deref() == Some(status))
    }

    /// Whether the jobs have nothing to add: the run has not begun, or all went well.
    fn is_dull(&self) -> bool {
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

    /// The run as it was last seen.
    pub(super) fn sighting(&self) -> Option<Sighting> {
        let run = self.run.as_ref()?;
        Some(Sighting {
            run: self.followed(run),
            workflow: run.path.clone(),
            created_at: run.created_at,
            changed_at: self.changed_at(run),
            title: run.title().to_owned(),
            actor: run.actor().map(str::to_owned),
            event: run.event.clone(),
            head_sha: run.head_sha.clone(),
        })
    }

    /// When the run or one of its jobs changed last.
    fn changed_at(&self, run: &WorkflowRun) -> DateTime<Utc> {
        let jobs = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        let times = jobs.flat_map(|job| [job.started_at, job.completed_at]).flatten();
        times.chain(run.updated_at).max().unwrap_or(run.created_at)
    }

    fn followed(&self, run: &WorkflowRun) -> FollowedRun {
        let RunOf { target, repository, run: id } = &self.of;
        let attempt = run.run_attempt.unwrap_or(1);
        let jobs = self.jobs.as_ref();
        let listed = jobs.map(|jobs| jobs.jobs.as_slice()).unwrap_or_default();
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
            jobs_over: listed.iter().filter(|job| job.has_ended()).count(),
            reviews: self.reviews.clone(),
            reports: 0,
            at: self.since,
            other: Map::new(),
        };
        let reviewed = listed.iter().find(|job| followed_run.needs_review() && waits(job));
        let job = reviewed.or_else(|| telling(listed));
        let job = job.map(|job| FollowedJob { error: self.error_of(job), ..FollowedJob::from(job) });
        FollowedRun { job, ..followed_run }
    }
}

const WAITING: &str = "waiting";

/// Whether an environment keeps the job.
fn waits(job: &RunJob) -> bool {
    job.status.as_deref() == Some(WAITING)
}

/// What a run waits for: what somebody has to approve first. A wait timer that is over keeps nothing.
fn reviews(pending: &[PendingDeployment], repository: &RepoName, now: DateTime<Utc>) -> Vec<Review> {
    let reviews = pending.iter().map(|pending| {
        let timer_ends = pending.timer_ends().filter(|ends| *ends > now);
        Review::new(pending.environment(), pending.reviewers(repository.owner()), timer_ends)
    });
    let mut reviews: Vec<Review> = reviews.collect();
    reviews.sort_by_cached_key(|review| {
        (review.reviewers.is_empty(), review.is_timer(), review.environment.clone())
    });
    reviews.truncate(MOST_REVIEWS);
    reviews
}

/// The job that tells most: one that failed, else one that runs, else one that has not begun.
fn telling(jobs: &[RunJob]) -> Option<&RunJob> {
    let first = |fits: &dyn Fn(&RunJob) -> bool| jobs.iter().find(|job| fits(job));
    first(&|job| {
        !matches!(job.conclusion.as_deref(), None | Some("success" | "skipped" | "neutral" | "cancelled"))
    })
    .or_else(|| first(&|job| job.conclusion.as_deref() == Some("cancelled")))
    .or_else(|| first(&|job| job.status.as_deref() == Some("in_progress")))
    .or_else(|| first(&|job| !job.has_ended()))
}
