//! The phases of a run: it was queued, it ran, or it waited for people.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its jobs wait for runners.
    Queued,
    /// One of its jobs runs.
    Running,
    /// Its jobs wait for an approval.
    WaitingForPeople,
}

/// A phase of a run with its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The phase.
    pub phase: Phase,
    /// The start.
    pub from: DateTime<Utc>,
    /// The end.
    pub to: DateTime<Utc>,
}

/// The times of a job by GitHub's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobTimes {
    /// The creation of the job.
    pub created_at: DateTime<Utc>,
    /// The start of the job.
    pub began_at: DateTime<Utc>,
    /// The end of the job.
    pub ended_at: DateTime<Utc>,
}

/// The shortest gap for which GitHub is asked about reviews of the run.
const SHORTEST_REVIEW: TimeDelta = TimeDelta::seconds(30);

/// The most periods of a run.
const PERIODS_LIMIT: usize = 12;

/// Whether no job of the run is at work for a while, so that the run may have waited for people.
#[must_use]
pub fn has_gap(jobs: &[JobTimes]) -> bool {
    idle(jobs).iter().any(|(from, to)| *to - *from >= SHORTEST_REVIEW)
}

/// The periods of a run with these jobs. If it `was_reviewed`, it waited for people between its jobs.
#[must_use]
pub fn periods(jobs: &[JobTimes], was_reviewed: bool) -> Vec<Period> {
    let Some(end) = jobs.iter().map(|job| job.ended_at).max() else { return Vec::new() };
    let idle = idle(jobs);
    let mut periods = Vec::new();
    let mut from = jobs.iter().map(|job| job.created_at).min().unwrap_or(end);
    for (index, (gap, to)) in idle.iter().copied().enumerate() {
        push(&mut periods, Phase::Running, from, gap);
        // Before its first job a run waits for a runner, unless it waits at no other time.
        let is_review = was_reviewed && (index > 0 || idle.len() == 1);
        let phase = if is_review { Phase::WaitingForPeople } else { Phase::Queued };
        push(&mut periods, phase, gap, to);
        from = to;
    }
    push(&mut periods, Phase::Running, from, end);
    periods.truncate(PERIODS_LIMIT);
    periods
}

fn push(periods: &mut Vec<Period>, phase: Phase, from: DateTime<Utc>, to: DateTime<Utc>) {
    if from < to {
        periods.push(Period { phase, from, to });
    }
}

/// The gaps without a job at work since the creation of the first job: at least the one before the first job begins.
fn idle(jobs: &[JobTimes]) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut jobs: Vec<&JobTimes> = jobs.iter().filter(|job| job.began_at <= job.ended_at).collect();
    jobs.sort_by_key(|job| job.began_at);
    let Some(mut until) = jobs.iter().map(|job| job.created_at).min() else { return Vec::new() };
    let mut idle = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        if index == 0 || job.began_at > until {
            idle.push((until, job.began_at.max(until)));
        }
        until = until.max(job.ended_at);
    }
    idle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn job([created, began, ended]: [i64; 3]) -> JobTimes {
        JobTimes { created_at: at(created), began_at: at(began), ended_at: at(ended) }
    }

    fn words(jobs: &[[i64; 3]], was_reviewed: bool) -> String {
        let jobs: Vec<JobTimes> = jobs.iter().copied().map(job).collect();
        let word = |period: &Period| {
            let minutes = (period.to - period.from).num_minutes();
            format!("{:?} {minutes}", period.phase)
        };
        periods(&jobs, was_reviewed).iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn jobs_that_overlap_are_one_time_of_work() {
        assert_eq!(words(&[[0, 1, 5], [0, 2, 9]], false), "Queued 1, Running 8");
        assert_eq!(words(&[[0, 2, 9], [0, 1, 5], [5, 9, 10]], false), "Queued 1, Running 9");
        assert_eq!(words(&[[0, 0, 5]], false), "Running 5");
    }

    #[test]
    fn a_gap_between_jobs_is_time_of_people_only_where_somebody_reviewed() {
        let jobs = [[0, 1, 5], [5, 45, 50]];
        assert_eq!(words(&jobs, true), "Queued 1, Running 4, WaitingForPeople 40, Running 5");
        assert_eq!(words(&jobs, false), "Queued 1, Running 4, Queued 40, Running 5");
        assert!(has_gap(&jobs.map(job)) && !has_gap(&[job([0, 0, 5]), job([0, 5, 9])]));
    }

    #[test]
    fn a_run_whose_first_job_was_reviewed_waited_for_people_before_it() {
        assert_eq!(words(&[[0, 40, 45]], true), "WaitingForPeople 40, Running 5");
        assert_eq!(words(&[[0, 40, 45]], false), "Queued 40, Running 5");
    }

    #[test]
    fn times_in_no_order_make_no_period_that_ends_before_it_begins() {
        assert_eq!(words(&[], true), "");
        assert_eq!(words(&[[5, 1, 3]], false), "");
        for jobs in [[[5, 1, 3], [9, 8, 2]], [[0, 9, 3], [4, 5, 6]]] {
            let jobs: Vec<JobTimes> = jobs.into_iter().map(job).collect();
            assert!(periods(&jobs, true).iter().all(|period| period.from < period.to));
        }
    }
}
