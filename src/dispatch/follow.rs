//! Following runs to their end: what they and their jobs do, in GitHub's own words, asked as cheaply
//! as it goes.
//!
//! While a run has jobs that are at work only the jobs are asked for, else only the run; and both with
//! the tag of the last answer, so that what has not changed costs nothing of the rate limit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::Map;

use crate::github::actions::{Fresh, RunJob, RunJobs, Tag, WorkflowRun};
use crate::github::{GitHub, GitHubError};
use crate::names::{RepoName, RunId};
use crate::ticket::{FollowedJob, FollowedRun};

/// So many runs are asked for at once.
const AT_ONCE: usize = 8;

/// A run that is to be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) target: String,
    pub(super) repository: RepoName,
    pub(super) run: RunId,
}

/// What is known of the runs that were asked for.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// By target.
    known: BTreeMap<String, Known>,
}

/// A run as it was last seen.
#[derive(Debug)]
struct Known {
    wanted: Wanted,
    run: Option<WorkflowRun>,
    run_tag: Option<Tag>,
    jobs: Option<RunJobs>,
    jobs_tag: Option<Tag>,
    /// When it was first seen as it is.
    since: DateTime<Utc>,
}

impl Follower {
    /// Looks at these runs, and tells how each of them stands.
    pub(super) async fn look(
        &mut self,
        github: &GitHub,
        wanted: Vec<Wanted>,
    ) -> Vec<(Wanted, Result<FollowedRun, GitHubError>)> {
        let known = wanted.into_iter().map(|wanted| match self.known.remove(&wanted.target) {
            Some(known) if known.wanted == wanted => known,
            _ => Known::new(wanted, github.clock().now()),
        });
        let looks = known.collect::<Vec<_>>().into_iter().map(|mut known| async move {
            let looked = known.look(github).await;
            (known, looked)
        });
        let looked: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).collect().await;
        let mut told = Vec::new();
        for (known, looked) in looked {
            let seen = looked.map(|()| known.seen());
            told.extend(seen.transpose().map(|seen| (known.wanted.clone(), seen)));
            self.known.insert(known.wanted.target.clone(), known);
        }
        told
    }
}

impl Known {
    fn new(wanted: Wanted, now: DateTime<Utc>) -> Self {
        Self { wanted, run: None, run_tag: None, jobs: None, jobs_tag: None, since: now }
    }

    async fn look(&mut self, github: &GitHub) -> Result<(), GitHubError> {
        if self.has_jobs_at_work() {
            self.look_at_jobs(github).await?;
        }
        if !self.has_jobs_at_work() {
            let changed = self.look_at_run(github).await?;
            if self.is("in_progress") || changed && !self.is_dull() {
                self.look_at_jobs(github).await?;
            }
        }
        Ok(())
    }

    /// Says whether the run has changed.
    async fn look_at_run(&mut self, github: &GitHub) -> Result<bool, GitHubError> {
        let Wanted { repository, run, .. } = &self.wanted;
        let Fresh::Changed((run, tag)) = github.run_since(repository, *run, self.run_tag.as_ref()).await?
        else {
            return Ok(false);
        };
        let attempt = |run: &WorkflowRun| run.run_attempt;
        if self.run.as_ref().map(attempt) != Some(attempt(&run)) {
            (self.jobs, self.jobs_tag) = (None, None);
        }
        (self.run, self.run_tag, self.since) = (Some(run), tag, github.clock().now());
        Ok(true)
    }

    async fn look_at_jobs(&mut self, github: &GitHub) -> Result<(), GitHubError> {
        let Wanted { repository, run, .. } = &self.wanted;
        let jobs = github.jobs_since(repository, *run, self.jobs_tag.as_ref()).await?;
        if let Fresh::Changed((jobs, tag)) = jobs {
            (self.jobs, self.jobs_tag, self.since) = (Some(jobs), tag, github.clock().now());
        }
        Ok(())
    }

    fn is(&self, status: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.status.as_deref() == Some(status))
    }

    /// Whether the jobs have nothing to add: the run has not begun, or all went well.
    fn is_dull(&self) -> bool {
        self.run.as_ref().is_none_or(|run| match run.status.as_deref() {
            Some("completed") => run.conclusion.as_deref() == Some("success"),
            _ => true,
        })
    }

    fn has_jobs_at_work(&self) -> bool {
        let mut jobs = self.jobs.iter().flat_map(|jobs| &jobs.jobs);
        self.is("in_progress") && jobs.any(|job| job.status.as_deref() == Some("in_progress"))
    }

    fn seen(&self) -> Option<FollowedRun> {
        let run = self.run.as_ref()?;
        let Wanted { target, repository, run: id } = &self.wanted;
        let attempt = run.run_attempt.unwrap_or(1);
        let jobs = self.jobs.as_ref();
        let listed = jobs.map(|jobs| jobs.jobs.as_slice()).unwrap_or_default();
        Some(FollowedRun {
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
            job: telling(listed).map(followed),
            jobs: jobs.map_or(0, |jobs| jobs.total_count),
            jobs_over: listed.iter().filter(|job| is_over(job)).count(),
            at: self.since,
            other: Map::new(),
        })
    }
}

fn is_over(job: &RunJob) -> bool {
    job.status.as_deref() == Some("completed")
}

/// The job that tells most: one that failed, else one that runs, else one that has not begun.
fn telling(jobs: &[RunJob]) -> Option<&RunJob> {
    let first = |wanted: &dyn Fn(&RunJob) -> bool| jobs.iter().find(|job| wanted(job));
    first(&|job| {
        !matches!(job.conclusion.as_deref(), None | Some("success" | "skipped" | "neutral" | "cancelled"))
    })
    .or_else(|| first(&|job| job.conclusion.as_deref() == Some("cancelled")))
    .or_else(|| first(&|job| job.status.as_deref() == Some("in_progress")))
    .or_else(|| first(&|job| !is_over(job)))
}

fn followed(job: &RunJob) -> FollowedJob {
    FollowedJob {
        name: job.name.clone(),
        status: job.status.clone().unwrap_or_else(|| "unknown".to_owned()),
        conclusion: job.conclusion.clone(),
        url: job.html_url.clone(),
    }
}
