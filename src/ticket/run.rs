//! A run as a hub job that follows it saw it last, and what GitHub's words for runs and jobs mean.
//!
//! The words are those of
//! <https://docs.github.com/rest/actions/workflow-runs>. One that this release does not know holds the
//! target, and is named: nobody could say that it is released, or free to be started again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::{Status, TargetStatus, Word};
use super::text;
use crate::names::{RepoName, RunId, TargetName};

/// A run as it was seen last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowedRun {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// Its newest attempt, from 1.
    pub attempt: u32,
    /// That attempt in the browser.
    pub run_url: String,
    /// How far it is, in GitHub's word.
    pub status: String,
    /// How it ended, in GitHub's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    /// The job that tells most: one that failed, else one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<FollowedJob>,
    /// How many jobs there are so far.
    #[serde(default)]
    pub jobs: usize,
    /// How many of them have ended.
    #[serde(default)]
    pub jobs_over: usize,
    /// When it was seen so first, by the hub job's clock: shown, never compared.
    pub at: DateTime<Utc>,
    /// What a newer release wrote beside.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A job of a followed run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedJob {
    /// Its name.
    pub name: String,
    /// How far it is, in GitHub's word.
    pub status: String,
    /// How it ended, in GitHub's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    /// The job in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl FollowedRun {
    /// How the target stands, by its run alone.
    #[must_use]
    pub fn standing(&self) -> TargetStatus {
        match self.stage_status() {
            Word::Known(Status::Queued) => TargetStatus::Queued,
            Word::Known(Status::InProgress) => TargetStatus::InProgress,
            Word::Known(Status::Skipped) => TargetStatus::Skipped,
            Word::Known(Status::Success) => TargetStatus::Released,
            Word::Known(Status::Cancelled) => TargetStatus::Cancelled,
            Word::Known(Status::Failure) => TargetStatus::Failed,
            Word::Newer(_) => TargetStatus::Held,
        }
    }

    /// How the run stands, as a stage would.
    pub(super) fn stage_status(&self) -> Word<Status> {
        meaning(&self.status, self.conclusion.as_deref())
    }

    /// Whether the run has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status == COMPLETED
    }

    /// What there is to say beside the status: `timed out`, or `2 of 5 jobs are done`.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        match (self.status.as_str(), self.conclusion.as_deref()) {
            (COMPLETED, Some("timed_out")) => Some("timed out".to_owned()),
            (COMPLETED, Some("startup_failure")) => {
                Some("could not start: the workflow file is invalid".to_owned())
            }
            (COMPLETED, Some("action_required")) => Some("somebody has to approve it".to_owned()),
            (COMPLETED, Some("stale")) => Some("GitHub gave it up: it was stale".to_owned()),
            (COMPLETED, None) => Some("GitHub does not tell how it ended".to_owned()),
            (COMPLETED, Some(word)) if meaning(COMPLETED, Some(word)).is_newer() => {
                Some(format!("it ended as `{word}`, a word that this release of the action does not know"))
            }
            (COMPLETED, _) => None,
            ("waiting", _) => Some("it waits for an approval, or for its environment".to_owned()),
            (word, _) if meaning(word, None).is_newer() => {
                Some(format!("it is `{word}`, a word that this release of the action does not know"))
            }
            _ if self.jobs > 0 => Some(format!("{} of {} jobs are done", self.jobs_over, self.jobs)),
            _ => None,
        }
    }

    /// How it stands, as a line of Markdown.
    pub(super) fn line(&self) -> String {
        let job = self.job.as_ref().map(|job| format!(", job {}", text::code(&job.name)));
        let remark = self.remark().map(|remark| format!(": {}", text::inline(&remark)));
        let standing = text::foreign_link(self.standing().label(), &self.run_url);
        format!("{standing}{}{}", job.unwrap_or_default(), remark.unwrap_or_default())
    }

    /// By what one state of the same attempt is further than another.
    pub(super) fn progress(&self) -> (bool, usize, usize) {
        (self.has_ended(), self.jobs_over, self.jobs)
    }

    /// GitHub's words for it. They decide nothing but ties.
    pub(super) fn words(&self) -> (&str, Option<&str>) {
        (&self.status, self.conclusion.as_deref())
    }
}

impl FollowedJob {
    /// How the job stands.
    #[must_use]
    pub fn standing(&self) -> Word<Status> {
        meaning(&self.status, self.conclusion.as_deref())
    }
}

const COMPLETED: &str = "completed";

/// GitHub's words in ours.
fn meaning(status: &str, conclusion: Option<&str>) -> Word<Status> {
    Word::Known(match (status, conclusion) {
        ("requested" | "queued" | "pending" | "waiting", _) => Status::Queued,
        ("in_progress", _) => Status::InProgress,
        (COMPLETED, Some("success" | "neutral")) => Status::Success,
        (COMPLETED, Some("skipped")) => Status::Skipped,
        (COMPLETED, Some("cancelled")) => Status::Cancelled,
        (COMPLETED, Some("failure" | "timed_out" | "startup_failure" | "action_required" | "stale")) => {
            Status::Failure
        }
        _ => return Word::Newer(conclusion.unwrap_or(status).into()),
    })
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
            jobs_over: 0,
            at: DateTime::UNIX_EPOCH,
            other: Map::new(),
        }
    }

    #[test]
    fn every_word_of_github_has_a_meaning() {
        for status in ["requested", "queued", "pending", "waiting"] {
            assert_eq!(run(status, None).standing(), TargetStatus::Queued);
        }
        assert_eq!(run("in_progress", None).standing(), TargetStatus::InProgress);
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
            assert_eq!((run.standing(), run.has_ended()), (expected, true), "{conclusion}");
        }
    }

    #[test]
    fn an_unknown_word_holds_the_target_and_is_named() {
        for run in [run(COMPLETED, Some("eaten")), run("eaten", None)] {
            assert_eq!(run.standing(), TargetStatus::Held);
            assert!(run.remark().is_some_and(|remark| remark.contains("`eaten`")), "{run:?}");
        }
        assert_eq!(run(COMPLETED, None).standing(), TargetStatus::Held);
    }
}
