//! The state of a release, which [`super::fold()`] makes of the records.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::decision::Decision;
use super::gate::Rules;
use super::reason::Reason;
use super::record::{Notice, Start};
use super::run::FollowedRun;
use super::second::SecondStart;
use super::status::{StartState, Status, TargetStatus, Word};
use super::verification::{Check, Verification};
use crate::names::{CommentId, Login, RepoName, RunId, TargetName};

/// The state of a release by its records.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ticket {
    /// The person responsible for the release.
    pub driver: Option<Login>,
    /// The name or version of the release.
    pub release: Option<String>,
    /// The newest run of the hub that has written to the ticket.
    pub hub: Option<HubRun>,
    /// A hub run that follows runs of the release, in the browser.
    pub follower: Option<String>,
    /// The targets by name.
    pub targets: BTreeMap<TargetName, Target>,
    /// The names in the targets file that every dispatch so far has left out.
    pub left_out: Vec<TargetName>,
    /// The states by reports of names that no dispatch of the ticket lists. They do not count.
    pub unlisted_targets: BTreeMap<TargetName, Target>,
    /// The unresolved failures, the newest notice of each fingerprint.
    pub notices: Vec<Notice>,
    /// The runs that were started although another claim came first. They do not count.
    pub second_starts: Vec<SecondStart>,
    /// The gates and freezes.
    pub rules: Rules,
    /// The decisions that count, in the order of their comments.
    pub decisions: Vec<Decision>,
    /// The commits of the refs of targets behind gates.
    pub commits: Commits,
    /// The comments that this release of the action cannot read in full.
    pub unreadable_comments: Vec<CommentId>,
}

/// The commits of the refs of targets behind gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commits {
    /// From records: a target without a commit may have moved or not.
    FromRecords(BTreeMap<TargetName, String>),
    /// From GitHub's answers to this step: a target without a commit may not be started.
    FromGitHub(BTreeMap<TargetName, String>),
}

impl Default for Commits {
    fn default() -> Self {
        Self::FromRecords(BTreeMap::new())
    }
}

impl Commits {
    /// The commit of a target's ref.
    #[must_use]
    pub fn of(&self, target: &TargetName) -> Option<&str> {
        match self {
            Self::FromRecords(commits) | Self::FromGitHub(commits) => commits.get(target).map(String::as_str),
        }
    }
}

/// The newest run of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRun {
    /// The run in the browser.
    pub url: String,
    /// The runs of its workflow in the browser, if the hub recorded the link.
    pub workflow_url: Option<String>,
}

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The repository of its workflow; the reporter's repository if no dispatch lists the target.
    pub repository: RepoName,
    /// The status.
    pub status: TargetStatus,
    /// The final status by its reports, if GitHub's word on its run differs.
    pub reported_status: Option<TargetStatus>,
    /// The newest run, if it is known.
    pub run: Option<Run>,
    /// The stages of the newest run, in the order in which they were last reported.
    pub stages: Vec<Stage>,
    /// The stage that decides the status.
    pub stage: Option<Stage>,
    /// The reason why it is not started.
    pub reason: Option<Word<Reason>>,
    /// The hub's newest start of it.
    pub start: Option<Start>,
    /// The newest attempt of the newest run, in the last state that a hub job recorded.
    pub followed_run: Option<FollowedRun>,
    /// The verification of its newest attempt.
    pub verification: Option<Verification>,
    /// The newest notice of its newest run that is not resolved.
    pub notice: Option<Notice>,
    /// The hub run that follows it to its end, in the browser.
    pub follower: Option<String>,
    /// The time since which it is stuck, if it is.
    pub stuck_since: Option<DateTime<Utc>>,
    /// Whether a hub job has asked GitHub to cancel the run.
    pub is_cancelling: bool,
    /// The targets and gates that this one waits for.
    pub needs: Vec<TargetName>,
    /// The values that its newest run gave back, by name.
    pub outputs: BTreeMap<String, String>,
    /// The repository in the browser, if a record has a link to its server.
    pub repository_url: Option<String>,
    /// The start of the newest run.
    pub started_at: Option<DateTime<Utc>>,
    /// The end of the newest run.
    pub ended_at: Option<DateTime<Utc>>,
    /// The time of the last change.
    pub changed_at: DateTime<Utc>,
    /// The stages of older attempts and older runs, newest first.
    pub old_stages: Vec<OldStage>,
}

/// A run of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The repository of the run; another one than the target's, if that repository reports for the target.
    pub repository: RepoName,
    /// Its id.
    pub id: RunId,
    /// The newest attempt with a report, from 1.
    pub attempt: u32,
    /// The run in the browser.
    pub url: Option<String>,
}

impl Run {
    /// The run that a hub job follows.
    #[must_use]
    pub fn of(run: &FollowedRun) -> Self {
        let FollowedRun { repository, run: id, attempt, run_url, .. } = run.clone();
        Self { repository, id, attempt, url: Some(run_url) }
    }
}

/// A stage of the newest run.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The worst status of all jobs that report it.
    pub status: Word<Status>,
    /// The attempt that reported it.
    pub attempt: u32,
    /// The reporter's message.
    pub message: Option<String>,
    /// The link of the message; `None` for the run.
    pub url: Option<String>,
    /// Whether it ends the target's release.
    pub ends_release: bool,
    /// The time of the report.
    pub at: DateTime<Utc>,
}

/// A stage of an older attempt or an older run.
#[derive(Debug, Clone, PartialEq)]
pub struct OldStage {
    /// The run.
    pub run: RunId,
    /// The run in the browser.
    pub run_url: String,
    /// The last state of the stage.
    pub stage: Stage,
}

impl Target {
    /// The link to the release, by its last report.
    #[must_use]
    pub fn release_url(&self) -> Option<&str> {
        let stage =
            self.stages.iter().rfind(|stage| stage.ends_release && stage.status == Status::Success)?;
        stage.url.as_deref()
    }

    /// The version that it gave back.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.outputs.get("version").map(String::as_str)
    }

    /// The run of an earlier ticket that released it, in the browser.
    #[must_use]
    pub fn earlier_run(&self) -> Option<&str> {
        let start = self.start.as_ref().filter(|start| start.state == StartState::TakenOver)?;
        start.run_url.as_deref()
    }
}

impl Target {
    /// Whether its run was deleted, and no record has its end.
    #[must_use]
    pub fn has_lost_its_run(&self) -> bool {
        self.status.is_bad() && self.followed_run.as_ref().is_some_and(FollowedRun::is_deleted)
    }

    /// The check that failed, if the run itself succeeded.
    #[must_use]
    pub fn failed_check(&self) -> Option<&Check> {
        let verification = self.verification.as_ref().filter(|_| self.status == TargetStatus::Failed)?;
        verification.failed_check()
    }

    /// Whether its run has ended, and its conclusion is unknown (yet).
    #[must_use]
    pub fn has_unknown_end(&self) -> bool {
        let lacks_conclusion = self.followed_run.as_ref().is_some_and(FollowedRun::lacks_conclusion);
        self.has_lost_its_run() || lacks_conclusion && self.status == TargetStatus::InProgress
    }

    /// Whether its run was cancelled before it had a job.
    #[must_use]
    pub fn was_cancelled_before_any_job(&self) -> bool {
        let run = self.followed_run.as_ref();
        let has_begun = !self.stages.is_empty();
        let is_cancelled = self.status == TargetStatus::Cancelled && !has_begun;
        is_cancelled && run.is_some_and(FollowedRun::was_cancelled_before_any_job)
    }
}

impl Ticket {
    /// The failed or cancelled target that blocks a target with these `needs`, directly or through other targets that wait.
    #[must_use]
    pub fn blocker<'t>(&'t self, needs: &'t [TargetName]) -> Option<(&'t TargetName, TargetStatus)> {
        let mut visits = BTreeSet::new();
        let mut open: Vec<&'t TargetName> = needs.iter().collect();
        while let Some(name) = open.pop() {
            match self.targets.get(name) {
                Some(target) if target.status.is_bad() => return Some((name, target.status)),
                Some(target)
                    if matches!(target.status, TargetStatus::Waiting | TargetStatus::OnHold)
                        && visits.insert(name) =>
                {
                    open.extend(&target.needs);
                }
                _ => {}
            }
        }
        None
    }

    /// The targets of `needs` that are not released, with their statuses; `None` for a target without records.
    pub fn unreleased_needs<'t>(
        &'t self,
        needs: &'t [TargetName],
    ) -> impl Iterator<Item = (&'t TargetName, Option<TargetStatus>)> {
        let status = |name: &TargetName| match self.targets.get(name) {
            Some(target) => Some(target.status),
            None => self.skip_of(name).map(|_| TargetStatus::Skipped),
        };
        let targets = needs.iter().filter(|name| self.rules.gate(name).is_none());
        let statuses = targets.map(move |name| (name, status(name)));
        statuses.filter(|(_, status)| !status.is_some_and(TargetStatus::is_released))
    }

    /// Whether all targets of the ticket and all these `names` are released, and no failure is open.
    #[must_use]
    pub fn is_done(&self, names: &[TargetName]) -> bool {
        let is_released = |target: &Target| target.status.is_released();
        self.notices.is_empty()
            && self.targets.values().all(is_released)
            && names.iter().all(|name| self.targets.get(name).is_some_and(is_released))
    }

    /// The number of targets with this status.
    #[must_use]
    pub fn count(&self, status: TargetStatus) -> usize {
        self.targets.values().filter(|target| target.status == status).count()
    }

    /// The targets whose status rests on a word of a newer release.
    pub(super) fn targets_with_newer_words(&self) -> Vec<&TargetName> {
        let targets = self.targets.iter().filter(|(_, target)| {
            let newer_stage = target.stages.iter().any(|stage| stage.status.is_newer());
            let newer_start = target.start.as_ref().is_some_and(|start| start.state.is_newer());
            let newer_reason = target.reason.as_ref().is_some_and(Word::is_newer);
            newer_stage || newer_start || newer_reason
        });
        targets.map(|(name, _)| name).collect()
    }
}
