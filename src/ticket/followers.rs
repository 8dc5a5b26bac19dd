//! Followers: the hub jobs that follow runs, by the newest record of each job. A later attempt of a job takes the
//! place of an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::record::{Dispatch, Report, Start, by_text};
use super::state::Run;
use super::status::StartState;
use super::writer::Writer;
use crate::names::{RepoName, RunId};

/// A job with all its attempts. If a run calls a workflow twice, two jobs of one name have the same key: only their
/// check runs differ, and each attempt has a new check run.
type JobKey<'a> = (&'a RepoName, RunId, &'a str);

fn key(by: &Writer) -> JobKey<'_> {
    (&by.repository, by.run, &by.job)
}

/// The hub jobs and their targets.
#[derive(Debug, Default)]
pub(super) struct Followers<'a> {
    /// The newest record of each attempt of a job.
    newest: BTreeMap<&'a Writer, &'a Dispatch>,
    /// The newest attempt of each job.
    attempts: BTreeMap<JobKey<'a>, u32>,
    /// The attempts whose end another job recorded.
    ended_attempts: BTreeSet<&'a Writer>,
    /// By target, the jobs that start it, hold it back until it can start, or follow its runs.
    jobs: BTreeMap<&'a str, BTreeSet<&'a Writer>>,
}

impl<'a> Followers<'a> {
    pub(super) fn of(claims: &[&'a Dispatch]) -> Self {
        let mut followers = Self::default();
        for claim in claims {
            let by = &claim.by;
            let attempt = followers.attempts.entry(key(by)).or_default();
            *attempt = by.attempt.max(*attempt);
            followers.ended_attempts.extend(&claim.watch.ended_jobs);
            let newest = followers.newest.entry(by).or_insert(claim);
            if claim.seq.cmp(&newest.seq).then_with(|| by_text(claim, newest)).is_gt() {
                *newest = claim;
            }
            let is_own =
                |start: &&Start| start.state != StartState::Yielded && start.state != StartState::Superseded;
            let starts = claim.targets.iter().filter(is_own).map(|start| &start.target);
            for target in starts.chain(claim.followed_runs.iter().map(|run| &run.target)) {
                followers.jobs.entry(target.as_str()).or_default().insert(by);
            }
        }
        followers
    }

    /// Whether no later attempt has taken the place of this one.
    fn is_current(&self, by: &Writer) -> bool {
        self.attempts.get(&key(by)) == Some(&by.attempt)
    }

    /// Whether the job follows the runs now.
    fn follows(&self, claim: &Dispatch) -> bool {
        claim.watch.follows && self.is_current(&claim.by) && !self.ended_attempts.contains(&claim.by)
    }

    /// The newest records of the target's jobs; of a job that runs again, those of its newest attempt.
    fn of_target<'s>(&'s self, target: &str) -> impl Iterator<Item = &'a Dispatch> + 's {
        let jobs = self.jobs.get(target).into_iter().flatten().copied();
        jobs.flat_map(move |job| {
            let is_newest = move |by: &&Writer| {
                if self.is_current(job) { *by == job } else { key(by) == key(job) && self.is_current(by) }
            };
            self.newest.iter().filter(move |(by, _)| is_newest(by)).map(|(_, claim)| *claim)
        })
    }

    /// The newest hub run that follows the target, in the browser.
    pub(super) fn follower(&self, target: &str) -> Option<&'a str> {
        let following = self.of_target(target).filter(|claim| self.follows(claim));
        following.max_by_key(|claim| claim.by.run).map(|claim| claim.run_url.as_str())
    }

    /// The newest hub run that follows anything, in the browser.
    pub(super) fn any_follower(&self) -> Option<&'a str> {
        let following = self.newest.values().filter(|claim| self.follows(claim));
        following.max_by_key(|claim| claim.by.run).map(|claim| claim.run_url.as_str())
    }

    /// Whether a hub job has asked GitHub to cancel this run of the target.
    pub(super) fn is_cancelled(&self, target: &str, run: RunId) -> bool {
        let jobs = self.jobs.get(target).into_iter().flatten();
        jobs.filter_map(|job| self.newest.get(job)).any(|claim| claim.watch.cancelled_runs.contains(&run))
    }

    /// The time since which the target is stuck; `None` if it is not, or has reported since.
    pub(super) fn stuck(&self, target: &str, run: Option<&Run>, reports: u64) -> Option<DateTime<Utc>> {
        let current = self.newest.values().filter(|claim| self.is_current(&claim.by));
        let all = current.flat_map(|claim| &claim.watch.stuck);
        let of_target = all.filter(|stuck| {
            let is_of_run = match (stuck.run, run) {
                (Some(stuck_run), Some(run)) => (stuck_run, stuck.attempt) == (run.id, run.attempt),
                (None, run) => run.is_none(),
                (Some(_), None) => false,
            };
            stuck.target.as_str() == target && is_of_run && reports <= stuck.reports
        });
        of_target.map(|stuck| stuck.since).max()
    }
}

/// The number of reports of this attempt of a run.
#[must_use]
pub fn reports_of<'a>(run: Option<&Run>, reports: impl Iterator<Item = &'a Report>) -> u64 {
    let Some(run) = run else { return 0 };
    let mut by_job: BTreeMap<&Writer, u64> = BTreeMap::new();
    for report in reports {
        let by = &report.by;
        if (by.run, by.attempt) == (run.id, run.attempt) {
            let newest = by_job.entry(by).or_default();
            *newest = report.seq.max(*newest);
        }
    }
    by_job.values().fold(0, |sum, seq| sum.saturating_add(*seq))
}
