//! The course of one failure: its notices so far, and whether it flaps.

use chrono::{DateTime, TimeDelta, Utc};

use super::record::Notice;
use super::status::Status;
use super::writer::Writer;
use crate::names::CommentId;

/// A failure that comes back within this time after it was resolved is the same failure, and flaps if that happens
/// often.
pub const FLAPPING_WITHIN: TimeDelta = TimeDelta::days(7);

/// The number of failures within that time, with successes between them, from which a failure flaps.
const FLAPPING_FROM: usize = 3;

/// The most times that are kept of a flapping failure: a comment has room for them.
const TIMES_LIMIT: usize = 200;

/// One notice of the failure, on GitHub.
#[derive(Debug, Clone)]
pub struct PastNotice {
    /// The comment that holds it; `None` for the body of the issue.
    pub comment: Option<CommentId>,
    /// Its creation by GitHub's clock.
    pub at: DateTime<Utc>,
    /// The notice.
    pub notice: Notice,
}

/// The notices of one failure, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Course(Vec<PastNotice>);

/// Whether a failure flaps, with the times at which it came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flapping {
    /// It does not flap.
    No,
    /// It flaps with this failure: a new notice says so.
    Begins(Vec<DateTime<Utc>>),
    /// It flaps still: the notice in this comment, which says so, is edited.
    GoesOn(CommentId, Vec<DateTime<Utc>>),
}

impl Flapping {
    /// The comment to edit, if it flaps already.
    #[must_use]
    pub fn comment(&self) -> Option<CommentId> {
        match self {
            Self::GoesOn(comment, _) => Some(*comment),
            Self::No | Self::Begins(_) => None,
        }
    }

    /// The times at which it came back; empty if it does not flap.
    #[must_use]
    pub fn times(&self) -> &[DateTime<Utc>] {
        match self {
            Self::No => &[],
            Self::Begins(times) | Self::GoesOn(_, times) => times,
        }
    }
}

impl FromIterator<PastNotice> for Course {
    fn from_iter<I: IntoIterator<Item = PastNotice>>(notices: I) -> Self {
        Self(notices.into_iter().collect())
    }
}

impl Course {
    /// The jobs that wrote a notice of it.
    pub fn writers(&self) -> impl Iterator<Item = &Writer> {
        self.0.iter().map(|entry| &entry.notice.by)
    }

    /// The last comment about it.
    #[must_use]
    pub fn last_comment(&self) -> Option<CommentId> {
        self.0.iter().rev().find_map(|entry| entry.comment)
    }

    /// The last comment about it that was written at `since` or later.
    #[must_use]
    pub fn last_comment_since(&self, since: DateTime<Utc>) -> Option<CommentId> {
        self.0.iter().rev().filter(|entry| entry.at >= since).find_map(|entry| entry.comment)
    }

    /// Whether its last notice is a failure.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.0.last().is_some_and(|entry| !entry.notice.status.is_good())
    }

    /// Whether another job of the same attempt of the run has failed: a success of `by` does not resolve that.
    #[must_use]
    pub fn has_failed_beside(&self, by: &Writer) -> bool {
        let of_attempt = |other: &Writer| {
            (&other.repository, other.run, other.attempt) == (&by.repository, by.run, by.attempt)
        };
        let is_last_notice =
            |index: usize, other: &Writer| self.0[index + 1..].iter().all(|later| later.notice.by != *other);
        self.0.iter().enumerate().any(|(index, PastNotice { notice, .. })| {
            of_attempt(&notice.by)
                && notice.by != *by
                && !notice.status.is_good()
                && is_last_notice(index, &notice.by)
        })
    }

    /// Whether the failure flaps with `next`, which is posted `now`.
    #[must_use]
    pub fn flapping(&self, next: &Notice, now: DateTime<Utc>) -> Flapping {
        let (mut times, mut fails) = (Vec::new(), false);
        for PastNotice { at, notice, .. } in &self.0 {
            let is_bad = !notice.status.is_good();
            if !notice.flapping.is_empty() {
                times.clone_from(&notice.flapping);
            } else if is_bad && !fails {
                times.push(*at);
            }
            fails = is_bad;
        }
        if next.status != Status::Success && !fails {
            times.push(now);
        }
        times.retain(|at| now.signed_duration_since(*at) <= FLAPPING_WITHIN);
        times.drain(..times.len().saturating_sub(TIMES_LIMIT));
        if times.len() < FLAPPING_FROM {
            return Flapping::No;
        }
        let flapping = self.0.last().filter(|last| !last.notice.flapping.is_empty());
        match flapping.and_then(|last| last.comment) {
            Some(comment) => Flapping::GoesOn(comment, times),
            None if next.status == Status::Success => Flapping::No,
            None => Flapping::Begins(times),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::names::RunId;
    use crate::ticket::explanation::Explanation;

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    fn notice(status: Status, job: &str, run: u64) -> Notice {
        let by = Writer {
            repository: "acme/web".parse().expect("a name"),
            run: RunId(run),
            attempt: 1,
            job: job.to_owned(),
            check_run: None,
        };
        Notice {
            by,
            seq: 1,
            run_url: String::new(),
            fingerprint: "f".to_owned(),
            status: status.into(),
            message: String::new(),
            url: None,
            job: None,
            explanation: Explanation::default(),
            pings: Vec::new(),
            mention: Vec::new(),
            flapping: Vec::new(),
            at: DateTime::UNIX_EPOCH,
            other: Map::new(),
        }
    }

    /// The issue at the first of these days, and a comment at each of the others.
    fn course(notices: &[(i64, Status, &[i64])]) -> Course {
        let notices = notices.iter().enumerate().map(|(index, (at, status, flapping))| PastNotice {
            comment: u64::try_from(index).ok().filter(|index| *index > 0).map(CommentId),
            at: day(*at),
            notice: Notice {
                flapping: flapping.iter().copied().map(day).collect(),
                ..notice(*status, "build", 7)
            },
        });
        notices.collect()
    }

    #[test]
    fn a_failure_flaps_from_the_third_time_within_a_week_until_it_was_calm_for_as_long() {
        use Status::{Failure, Success};
        let next = |notices: &[(i64, Status, &[i64])], status, now| {
            course(notices).flapping(&notice(status, "build", 9), day(now))
        };
        let twice: [(i64, Status, &[i64]); 4] =
            [(0, Failure, &[]), (1, Success, &[]), (2, Failure, &[]), (3, Success, &[])];
        let begins = Flapping::Begins([0, 2, 4].map(day).to_vec());
        assert_eq!(next(&twice, Failure, 4), begins);
        assert_eq!(next(&twice, Success, 4), Flapping::No);
        assert_eq!(next(&twice, Failure, 8), Flapping::No, "the first time is more than a week ago");
        let without_success: [(i64, Status, &[i64]); 3] =
            [(0, Failure, &[]), (1, Failure, &[]), (2, Failure, &[])];
        assert_eq!(next(&without_success, Failure, 3), Flapping::No, "it fails all the time");

        let flapping: Vec<(i64, Status, &[i64])> =
            twice.into_iter().chain([(4, Success, &[0, 2, 4][..])]).collect();
        let goes_on =
            |times: &[i64]| Flapping::GoesOn(CommentId(4), times.iter().copied().map(day).collect());
        assert_eq!(next(&flapping, Failure, 5), goes_on(&[0, 2, 4, 5]));
        assert_eq!(next(&flapping, Success, 5), goes_on(&[0, 2, 4]));
        assert_eq!(next(&flapping, Failure, 9), goes_on(&[2, 4, 9]));
        assert_eq!(next(&flapping, Failure, 10), Flapping::No, "it was calm");
        assert_eq!(next(&flapping, Success, 10), Flapping::No);
        // Notices after the flapping one count, and the next one that says so is a notice of its own.
        let apart: Vec<_> = flapping.into_iter().chain([(5, Failure, &[][..]), (5, Success, &[])]).collect();
        assert_eq!(next(&apart, Failure, 6), Flapping::Begins([0, 2, 4, 5, 6].map(day).to_vec()));
    }

    #[test]
    fn another_job_of_the_same_attempt_speaks_for_itself() {
        let course = |notices: Vec<Notice>| -> Course {
            notices.into_iter().map(|notice| PastNotice { comment: None, at: day(0), notice }).collect()
        };
        let by = notice(Status::Success, "b", 7).by;
        let failure = |job, run| notice(Status::Failure, job, run);
        for (notices, expected) in [
            (vec![failure("a", 7)], true),
            (vec![failure("b", 7)], false),
            (vec![failure("a", 6)], false),
            (vec![failure("a", 7), notice(Status::Success, "a", 7)], false),
            (vec![notice(Status::Success, "a", 7), failure("a", 7)], true),
        ] {
            assert_eq!(course(notices.clone()).has_failed_beside(&by), expected, "{notices:?}");
        }
        let second_attempt = Writer { attempt: 2, ..by };
        assert!(!course(vec![failure("a", 7)]).has_failed_beside(&second_attempt));
    }
}
