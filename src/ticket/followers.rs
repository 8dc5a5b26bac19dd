//! Followers: which hub jobs follow the runs, as the newest record of each job says. A later attempt of a job takes
//! the place of an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::record::{Dispatch, Report, Start, by_text};
use super::state::Run;
use super::status::StartState;
use super::writer::Writer;
use crate::names::{RepoName, RunId};

/// A job, whichever attempt of it. Where a workflow is called twice in one run, jobs of one name differ by their check
/// run alone, which each attempt has anew.
type JobKey<'a> = (&'a RepoName, RunId, &'a str);

fn key(by: &Writer) -> JobKey<'_> {
    (&by.repository, by.run, &by.job)
}

/// What the hub jobs do now, and which targets are theirs.
#[derive(Debug, Default)]
pub(super) struct Followers<'a> {
    /// The newest record of each attempt of a job.
    newest: BTreeMap<&'a Writer, &'a Dispatch>,
    /// The newest attempt of each job.
    attempts: BTreeMap<JobKey<'a>, u32>,
    /// The attempts that have ended without saying so.
    ended: BTreeSet<&'a Writer>,
    /// Who has started each target, holds it back until it can start, or looks at its runs.
    jobs: BTreeMap<&'a str, BTreeSet<&'a Writer>>,
}

impl<'a> Followers<'a> {
    pub(super) fn of(claims: &[&'a Dispatch]) -> Self {
        let mut followers = Self::default();
        for claim in claims {
            let by = &claim.by;
            let attempt = followers.attempts.entry(key(by)).or_default();
            *attempt = by.attempt.max(*attempt);
            followers.ended.extend(&claim.watch.ended);
            let newest = followers.newest.entry(by).or_insert(claim);
            if claim.seq.cmp(&newest.seq).then_with(|| by_text(claim, newest)).is_gt() {
                *newest = claim;
            }
            let is_theirs =
                |start: &&Start| start.state != StartState::Yielded && start.state != StartState::Superseded;
            let started = claim.targets.iter().filter(is_theirs).map(|start| &start.target);
            for target in started.chain(claim.followed.iter().map(|run| &run.target)) {
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
        claim.watch.follows && self.is_current(&claim.by) && !self.ended.contains(&claim.by)
    }

    /// The newest records of the jobs that the target is theirs; of a job that runs again, those of its newest attempt.
    fn of_target<'s>(&'s self, target: &str) -> impl Iterator<Item = &'a Dispatch> + 's {
        let jobs = self.jobs.get(target).into_iter().flatten().copied();
        jobs.flat_map(move |job| {
            let is_meant = move |by: &&Writer| {
                if self.is_current(job) { *by == job } else { key(by) == key(job) && self.is_current(by) }
            };
            self.newest.iter().filter(move |(by, _)| is_meant(by)).map(|(_, claim)| *claim)
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
        jobs.filter_map(|job| self.newest.get(job)).any(|claim| claim.watch.cancelled.contains(&run))
    }

    /// Since when the target is stuck, if it was not reported since.
    pub(super) fn stuck(&self, target: &str, run: Option<&Run>, reports: u64) -> Option<DateTime<Utc>> {
        let current = self.newest.values().filter(|claim| self.is_current(&claim.by));
        let all = current.flat_map(|claim| &claim.watch.stuck);
        let same = all.filter(|stuck| {
            let is_of_run = match (stuck.run, run) {
                (Some(stuck_run), Some(run)) => (stuck_run, stuck.attempt) == (run.id, run.attempt),
                (None, run) => run.is_none(),
                (Some(_), None) => false,
            };
            stuck.target.as_str() == target && is_of_run && reports <= stuck.reports
        });
        same.map(|stuck| stuck.since).max()
    }
}

/// How often this attempt of a run has been reported.
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
