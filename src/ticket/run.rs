//! Runs that hub jobs follow, and the meaning of GitHub's words for runs and jobs.
//!
//! The words are those of <https://docs.github.com/rest/actions/workflow-runs>. A word that this release does not know
//! holds the target, and is quoted: it proves neither that the target is released, nor that it may be started again.
//!
//! A run may be `completed` for a moment before GitHub says how it ended: it goes on until the conclusion is known.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::{Status, TargetStatus, Word};
use super::text;
use crate::names::{Login, RepoName, RunId, TargetName, login, number};

/// A run in its last known state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowedRun {
    /// The target's name.
    pub target: TargetName,
    /// The repository of the run.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// Its newest attempt, from 1.
    pub attempt: u32,
    /// That attempt in the browser.
    pub run_url: String,
    /// Its status, GitHub's word; [`DELETED`] if a person has deleted the run.
    pub status: String,
    /// Its conclusion, GitHub's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    /// The most important job: one that failed, else one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<FollowedJob>,
    /// The number of its jobs so far.
    #[serde(default)]
    pub jobs: usize,
    /// The number of its jobs that have ended.
    #[serde(rename = "jobs_over", default)]
    pub ended_jobs: usize,
    /// The environments that it waits for, if GitHub named them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// The number of reports of this attempt at that time.
    #[serde(default, skip_serializing_if = "number::is_zero", deserialize_with = "number::deserialize")]
    pub reports: u64,
    /// The time at which a hub job first read this state, by its clock: displayed, never compared.
    pub at: DateTime<Utc>,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A job of a followed run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedJob {
    /// Its name.
    pub name: String,
    /// Its status, GitHub's word.
    pub status: String,
    /// Its conclusion, GitHub's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    /// The job in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its first step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The line with the error in its annotations or its log, if every reader of the ticket may read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An environment that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Its name.
    pub environment: String,
    /// The people who may approve, and teams as `org/team`. Empty if a wait timer, or a rule that GitHub does not show,
    /// releases the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "login::list")]
    pub reviewers: Vec<Login>,
    /// The end of its wait timer, if one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer_ends: Option<DateTime<Utc>>,
}

/// The most characters of an environment and of its reviewers: a record has the runs of many targets. GitHub allows longer
/// names of environments, and six reviewers at most, whose logins have at most 39 characters.
const ENVIRONMENT_LIMIT: usize = 60;
const REVIEWERS_LIMIT: usize = 6 * 39;

impl Review {
    /// An environment in GitHub's answer, cut to the room of a record.
    #[must_use]
    pub fn new(
        environment: &str,
        reviewers: impl Iterator<Item = Login>,
        timer_ends: Option<DateTime<Utc>>,
    ) -> Self {
        let environment = text::cut(text::first_line(environment), ENVIRONMENT_LIMIT);
        let mut length = 0;
        let fits = |login: &Login| {
            length += login.as_str().len();
            length <= REVIEWERS_LIMIT
        };
        Self { environment, reviewers: reviewers.take_while(fits).collect(), timer_ends }
    }

    /// Whether only a wait timer holds the run: nobody has to act.
    #[must_use]
    pub fn is_timer(&self) -> bool {
        self.reviewers.is_empty() && self.timer_ends.is_some()
    }

    /// The people, the rule or the timer that the run waits for.
    fn remark(&self) -> String {
        let environment = match self.environment.trim() {
            "" => "its environment".to_owned(),
            name => format!("`{}`", name.replace('`', "'")),
        };
        let timer = self.timer_ends.map(|ends| ends.format("timer ends %Y-%m-%d %H:%M UTC"));
        match (self.reviewers.is_empty(), timer) {
            (true, Some(timer)) => format!("{timer} ({environment})"),
            (true, None) => format!("{environment} waits for an approval or a protection rule"),
            (false, None) => format!("{} has to approve {environment}", or(&self.reviewers)),
            (false, Some(timer)) => {
                format!("{} has to approve {environment}; {timer}", or(&self.reviewers))
            }
        }
    }
}

/// `dana, eve or acme/sre`
fn or(logins: &[Login]) -> String {
    let names: Vec<&str> = logins.iter().map(Login::as_str).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

impl FollowedRun {
    /// The first attempt of a run with this status, GitHub's word, at this time; without jobs.
    #[must_use]
    pub fn new(
        target: TargetName,
        repository: RepoName,
        run: RunId,
        status: &str,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            target,
            repository,
            run,
            attempt: 1,
            run_url: String::new(),
            status: status.to_owned(),
            conclusion: None,
            job: None,
            jobs: 0,
            ended_jobs: 0,
            reviews: Vec::new(),
            reports: 0,
            at,
            other: Map::new(),
        }
    }

    /// A run that a person has deleted on GitHub.
    #[must_use]
    pub fn deleted_run(target: TargetName, repository: RepoName, run: RunId, at: DateTime<Utc>) -> Self {
        Self::new(target, repository, run, DELETED, at)
    }

    /// The target's status by its run alone.
    #[must_use]
    pub fn status_by_github(&self) -> TargetStatus {
        match self.stage_status() {
            _ if self.needs_review() => TargetStatus::Review,
            Word::Known(Status::Queued) => TargetStatus::Queued,
            Word::Known(Status::InProgress) => TargetStatus::InProgress,
            Word::Known(Status::Skipped) => TargetStatus::Skipped,
            Word::Known(Status::Success) => TargetStatus::Released,
            Word::Known(Status::Cancelled) => TargetStatus::Cancelled,
            Word::Known(Status::Failure) => TargetStatus::Failed,
            Word::Newer(_) => TargetStatus::Held,
        }
    }

    /// The run's status as that of a stage.
    pub(super) fn stage_status(&self) -> Word<Status> {
        meaning(&self.status, self.conclusion.as_deref())
    }

    /// Whether the run waits for an approval, or for a rule that GitHub does not show.
    #[must_use]
    pub fn needs_review(&self) -> bool {
        let has_review = self.reviews.iter().any(|review| !review.is_timer());
        match self.status.as_str() {
            WAITING => has_review || self.reviews.is_empty(),
            // Another job of the run is at work.
            "in_progress" => has_review,
            _ => false,
        }
    }

    /// Whether the run has ended with a known conclusion, or was deleted.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status == COMPLETED && self.conclusion.is_some() || self.is_deleted()
    }

    /// Whether the run has ended and GitHub does not show its conclusion (yet).
    #[must_use]
    pub fn lacks_conclusion(&self) -> bool {
        self.status == COMPLETED && self.conclusion.is_none()
    }

    /// Whether a person has deleted the run before its conclusion was known.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.status == DELETED
    }

    /// Whether the run was cancelled before it had a job: it has no job to re-run.
    #[must_use]
    pub fn was_cancelled_before_any_job(&self) -> bool {
        self.status == COMPLETED && self.conclusion.as_deref() == Some("cancelled") && self.jobs == 0
    }

    /// A remark on the status: `timed out`, or `2 of 5 jobs are done`.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        self.pause().or_else(|| self.remark_by_words())
    }

    /// The cause for which the run waits.
    fn pause(&self) -> Option<String> {
        match self.status.as_str() {
            PENDING => Some("held by its concurrency group".to_owned()),
            WAITING if self.reviews.is_empty() => {
                Some("it waits for an approval or a protection rule".to_owned())
            }
            word if word == WAITING || self.needs_review() => {
                Some(self.reviews.iter().map(Review::remark).collect::<Vec<_>>().join("; "))
            }
            _ => None,
        }
    }

    fn remark_by_words(&self) -> Option<String> {
        match (self.status.as_str(), self.conclusion.as_deref()) {
            (COMPLETED, Some("timed_out")) => Some("timed out".to_owned()),
            (COMPLETED, Some("startup_failure")) => {
                Some("could not start: the workflow file is invalid".to_owned())
            }
            (COMPLETED, Some("action_required")) => Some("somebody has to approve it".to_owned()),
            (COMPLETED, Some("stale")) => Some("GitHub marked it as stale".to_owned()),
            (COMPLETED, None) => Some("GitHub does not say how it ended".to_owned()),
            (DELETED, _) => Some("the run was deleted, so GitHub does not say how it ended".to_owned()),
            (COMPLETED, Some("cancelled")) if self.was_cancelled_before_any_job() => {
                Some(BEFORE_ANY_JOB.to_owned())
            }
            (COMPLETED, Some(word)) if meaning(COMPLETED, Some(word)).is_newer() => {
                Some(format!("it ended as `{word}`, a word that this release of the action does not know"))
            }
            (COMPLETED, _) => None,
            (word, _) if meaning(word, None).is_newer() => {
                Some(format!("it is `{word}`, a word that this release of the action does not know"))
            }
            _ if self.jobs > 0 => Some(format!("{} of {} jobs are done", self.ended_jobs, self.jobs)),
            _ => None,
        }
    }

    /// The state of the run as a line of Markdown.
    pub(super) fn line(&self) -> String {
        let job = self.job.as_ref().map(|job| format!(", job {}", text::code(&job.name)));
        let remark = self.remark().map(|remark| format!(": {}", text::inline(&remark)));
        let standing = text::foreign_link(self.status_by_github().label(), &self.run_url);
        format!("{standing}{}{}", job.unwrap_or_default(), remark.unwrap_or_default())
    }

    /// A key by which states of the same attempt are ordered.
    ///
    /// A known conclusion is further than any other state, with any jobs: a later read may ask for no jobs.
    pub(super) fn progress(&self) -> (u8, usize, usize) {
        let end = match self.status.as_str() {
            COMPLETED if self.conclusion.is_some() => 3,
            DELETED => 2,
            COMPLETED => 1,
            _ => 0,
        };
        (end, self.ended_jobs, self.jobs)
    }

    /// GitHub's words for it, which only break ties.
    pub(super) fn words(&self) -> (&str, Option<&str>) {
        (&self.status, self.conclusion.as_deref())
    }
}

/// The step at which a tracked job ended, as its report names it: `step 3, Run tests`.
#[must_use]
pub fn step_text(number: u64, name: &str) -> String {
    format!("step {number}, {}", text::cut_name(text::first_line(name), 100))
}

/// Whether a message already names this step, as [`step_text`] does.
pub(super) fn is_about_step(message: &str, name: &str) -> bool {
    message.starts_with("step ") && message.contains(name)
}

impl FollowedJob {
    /// The job's status.
    #[must_use]
    pub fn status_by_github(&self) -> Word<Status> {
        meaning(&self.status, self.conclusion.as_deref())
    }
}

const COMPLETED: &str = "completed";
/// The status of a deleted run. It is the action's own word: an older release that does not know it holds the target.
pub const DELETED: &str = "deleted";
const BEFORE_ANY_JOB: &str =
    "cancelled before any job began: by somebody, or by a newer run of its concurrency group";
/// The status of a run that an environment holds.
const WAITING: &str = "waiting";
/// The status of a run that a concurrency group holds.
const PENDING: &str = "pending";

/// The status that GitHub's words mean.
fn meaning(status: &str, conclusion: Option<&str>) -> Word<Status> {
    let meaning = match (status, conclusion) {
        ("requested" | "queued" | PENDING | WAITING, _) => Some(Status::Queued),
        ("in_progress", _) | (COMPLETED, None) => Some(Status::InProgress),
        (DELETED, _) => Some(Status::Failure),
        (COMPLETED, Some(conclusion)) => Status::of_conclusion(conclusion),
        _ => None,
    };
    meaning.map_or_else(|| Word::Newer(conclusion.unwrap_or(status).into()), Word::Known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(status: &str, conclusion: Option<&str>) -> FollowedRun {
        FollowedRun {
            target: "web".into(),
            repository: "acme/web".parse().expect("a name"),
            run: RunId(1),
            attempt: 1,
            run_url: String::new(),
            status: status.into(),
            conclusion: conclusion.map(Into::into),
            job: None,
            jobs: 0,
            ended_jobs: 0,
            reviews: Vec::new(),
            reports: 0,
            at: DateTime::UNIX_EPOCH,
            other: Map::new(),
        }
    }

    #[test]
    fn every_word_of_github_has_a_meaning() {
        for status in ["requested", "queued", "pending"] {
            assert_eq!(run(status, None).status_by_github(), TargetStatus::Queued);
        }
        assert_eq!(run("waiting", None).status_by_github(), TargetStatus::Review);
        assert_eq!(run("in_progress", None).status_by_github(), TargetStatus::InProgress);
        for (conclusion, expected) in [
            ("success", TargetStatus::Released),
            ("neutral", TargetStatus::Released),
            ("skipped", TargetStatus::Skipped),
            ("cancelled", TargetStatus::Cancelled),
            ("failure", TargetStatus::Failed),
            ("timed_out", TargetStatus::Failed),
            ("startup_failure", TargetStatus::Failed),
            ("action_required", TargetStatus::Failed),
            ("stale", TargetStatus::Failed),
        ] {
            let run = run(COMPLETED, Some(conclusion));
            assert_eq!((run.status_by_github(), run.has_ended()), (expected, true), "{conclusion}");
        }
    }

    #[test]
    fn an_unknown_word_holds_the_target_and_is_named() {
        for run in [run(COMPLETED, Some("eaten")), run("eaten", None)] {
            assert_eq!(run.status_by_github(), TargetStatus::Held);
            assert!(run.remark().is_some_and(|remark| remark.contains("`eaten`")), "{run:?}");
        }
    }

    #[test]
    fn a_run_of_which_github_does_not_say_how_it_ended_goes_on() {
        let run = run(COMPLETED, None);
        assert_eq!((run.status_by_github(), run.has_ended()), (TargetStatus::InProgress, false));
        assert_eq!(run.remark().as_deref(), Some("GitHub does not say how it ended"));
    }

    #[test]
    fn a_known_end_is_further_than_an_unknown_one_and_both_are_further_than_what_goes_on() {
        let with_jobs =
            |status, conclusion| FollowedRun { jobs: 3, ended_jobs: 3, ..run(status, conclusion) };
        let states = [
            with_jobs("in_progress", None),
            run(COMPLETED, None),
            with_jobs(COMPLETED, None),
            run(DELETED, None),
            run(COMPLETED, Some("success")),
        ];
        assert!(states.is_sorted_by(|a, b| a.progress() < b.progress()), "{states:#?}");
    }

    #[test]
    fn a_run_that_was_cancelled_without_a_job_says_who_may_have_done_it() {
        let without_job = run(COMPLETED, Some("cancelled"));
        assert_eq!(without_job.remark().as_deref(), Some(BEFORE_ANY_JOB));
        let with_job = FollowedRun { jobs: 1, ended_jobs: 1, ..without_job };
        assert_eq!((with_job.remark(), with_job.status_by_github()), (None, TargetStatus::Cancelled));
    }

    fn review(reviewers: &[&str], timer: bool) -> Review {
        let reviewers = reviewers.iter().filter_map(|name| Login::parse(name));
        Review::new("production", reviewers, timer.then_some(DateTime::UNIX_EPOCH))
    }

    fn status_with_remark(status: &str, reviews: &[Review]) -> (TargetStatus, Option<String>) {
        let run = FollowedRun { reviews: reviews.to_vec(), jobs: 2, ..run(status, None) };
        (run.status_by_github(), run.remark())
    }

    #[test]
    fn a_run_that_waits_says_for_whom_or_what() {
        let (somebody, timer, rule) = (review(&["dana"], false), review(&[], true), review(&[], false));
        let both = review(&["dana", "eve", "acme/sre"], true);
        for (status, reviews, expected, remark) in [
            ("waiting", vec![], TargetStatus::Review, "it waits for an approval or a protection rule"),
            ("waiting", vec![somebody.clone()], TargetStatus::Review, "dana has to approve `production`"),
            (
                "waiting",
                vec![both],
                TargetStatus::Review,
                "dana, eve or acme/sre has to approve `production`; timer ends 1970-01-01 00:00 UTC",
            ),
            (
                "waiting",
                vec![somebody.clone(), timer.clone()],
                TargetStatus::Review,
                "dana has to approve `production`; timer ends 1970-01-01 00:00 UTC (`production`)",
            ),
            (
                "waiting",
                vec![timer.clone()],
                TargetStatus::Queued,
                "timer ends 1970-01-01 00:00 UTC (`production`)",
            ),
            (
                "waiting",
                vec![timer.clone(), rule],
                TargetStatus::Review,
                "timer ends 1970-01-01 00:00 UTC (`production`); \
                 `production` waits for an approval or a protection rule",
            ),
            ("in_progress", vec![somebody.clone()], TargetStatus::Review, "dana has to approve `production`"),
            ("in_progress", vec![timer], TargetStatus::InProgress, "0 of 2 jobs are done"),
            ("pending", vec![], TargetStatus::Queued, "held by its concurrency group"),
            ("queued", vec![somebody], TargetStatus::Queued, "0 of 2 jobs are done"),
        ] {
            assert_eq!(
                status_with_remark(status, &reviews),
                (expected, Some(remark.to_owned())),
                "{status} {reviews:?}"
            );
        }
    }

    #[test]
    fn what_github_says_of_an_environment_is_bounded_and_one_line() {
        let review = |environment: &str, login: &str| {
            let names = (10..99).filter_map(|number| Login::parse(&format!("{login}{number}")));
            Review::new(environment, names, None)
        };
        let long = review(&format!("a`b\n{}", "c".repeat(500)), &"d".repeat(37));
        assert_eq!((long.environment.as_str(), long.reviewers.len()), ("a`b", 6));
        assert!(long.remark().ends_with("15 has to approve `a'b`"), "{}", long.remark());
        let longer = review(&"c".repeat(500), &format!("acme/{}", "d".repeat(90)));
        assert_eq!((text::length(&longer.environment), longer.reviewers.len()), (60, 2));
    }

    #[test]
    fn a_reviewer_who_is_no_account_is_left_out() {
        let json = serde_json::json!({ "environment": "production", "reviewers": ["dana", "@all !", 7] });
        let review: Review = serde_json::from_value(json).expect("a review");
        assert_eq!(review.reviewers, Vec::from_iter(Login::parse("dana")));
    }
}
