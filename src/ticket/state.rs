//! The state of a release: what [`super::fold()`] makes of the records, and what can be asked of it.

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

/// The state of a release, as its records tell it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ticket {
    /// Who is responsible.
    pub driver: Option<Login>,
    /// The name or version of the release.
    pub release: Option<String>,
    /// The hub's newest run, where one has written to the ticket.
    pub hub: Option<HubRun>,
    /// The hub run that follows any of the runs, in the browser.
    pub follower: Option<String>,
    /// The targets by name.
    pub targets: BTreeMap<TargetName, Target>,
    /// The names that are listed, and that every dispatch so far has left out.
    pub left_out: Vec<TargetName>,
    /// What reports say of names that no dispatch of the ticket lists. They count for nothing.
    pub unlisted: BTreeMap<TargetName, Target>,
    /// Failures that were notified and not resolved, the newest of each fingerprint.
    pub notices: Vec<Notice>,
    /// The runs that were started although another claim came first. They count for nothing.
    pub second_starts: Vec<SecondStart>,
    /// The gates and freezes.
    pub rules: Rules,
    /// The decisions of people that count, in the order of their comments.
    pub decisions: Vec<Decision>,
    /// At which commits the refs of targets behind gates are.
    pub commits: Commits,
    /// The comments that this release of the action cannot read, or not whole.
    pub unreadable: Vec<CommentId>,
}

/// The commits of the refs of targets that gates let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commits {
    /// As records have them: a target that has none may have moved or not.
    Recorded(BTreeMap<TargetName, String>),
    /// As GitHub has shown them to this step: a target that has none may not be started.
    Shown(BTreeMap<TargetName, String>),
}

impl Default for Commits {
    fn default() -> Self {
        Self::Recorded(BTreeMap::new())
    }
}

impl Commits {
    /// The commit of a target's ref.
    #[must_use]
    pub fn of(&self, target: &TargetName) -> Option<&str> {
        match self {
            Self::Recorded(commits) | Self::Shown(commits) => commits.get(target).map(String::as_str),
        }
    }
}

/// The newest run of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRun {
    /// The run in the browser.
    pub url: String,
    /// The runs of its workflow in the browser, where they are known.
    pub workflow_url: Option<String>,
}

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where it runs; unknown if only a report without a dispatch tells of it.
    pub repository: RepoName,
    /// How it stands.
    pub status: TargetStatus,
    /// How its reports say that it ended, where GitHub says something else of its run.
    pub reported: Option<TargetStatus>,
    /// The newest run, where it is known.
    pub run: Option<Run>,
    /// The stages of the newest run, in the order in which they were last reported.
    pub stages: Vec<Stage>,
    /// The stage that decides the status.
    pub stage: Option<Stage>,
    /// Why it is not started.
    pub because: Option<Word<Reason>>,
    /// The newest start, where the hub has one.
    pub start: Option<Start>,
    /// The newest attempt of the newest run, as a hub job that follows it saw it last.
    pub followed: Option<FollowedRun>,
    /// What was verified of what its newest attempt has made.
    pub verification: Option<Verification>,
    /// The newest failure of its newest run that was notified and not resolved.
    pub notice: Option<Notice>,
    /// The hub run that follows it to its end, in the browser.
    pub follower: Option<String>,
    /// Since when it is stuck, if it is.
    pub stuck_since: Option<DateTime<Utc>>,
    /// Whether a hub job has asked GitHub to cancel the run.
    pub is_cancelling: bool,
    /// The targets that are released before this one is started.
    pub needs: Vec<TargetName>,
    /// The values that its newest run gave back, by their names.
    pub outputs: BTreeMap<String, String>,
    /// The repository in the browser, where a record has a link to its server.
    pub page: Option<String>,
    /// When the newest run was started.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// When anything last changed.
    pub changed: DateTime<Utc>,
    /// What older attempts and older runs left behind, newest first.
    pub older: Vec<OldStage>,
}

/// A run of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where it is: not where the target is, if another repository reports for it.
    pub repository: RepoName,
    /// Its id.
    pub id: RunId,
    /// The newest attempt that reported, from 1.
    pub attempt: u32,
    /// The run in the browser.
    pub url: Option<String>,
}

impl Run {
    /// A run as a hub job has seen it.
    #[must_use]
    pub fn seen(run: &FollowedRun) -> Self {
        let FollowedRun { repository, run: id, attempt, run_url, .. } = run.clone();
        Self { repository, id, attempt, url: Some(run_url) }
    }
}

/// A stage of the newest run.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How it stands, over all jobs that report it.
    pub status: Word<Status>,
    /// The attempt that reported it.
    pub attempt: u32,
    /// What the reporter had to say.
    pub message: Option<String>,
    /// What the message links to; none: the run.
    pub url: Option<String>,
    /// Whether it ends the target's release.
    pub done: bool,
    /// When it was reported.
    pub at: DateTime<Utc>,
}

/// A stage as an older attempt or an older run left it.
#[derive(Debug, Clone, PartialEq)]
pub struct OldStage {
    /// The run.
    pub run: RunId,
    /// The run in the browser.
    pub run_url: String,
    /// The stage as it was.
    pub stage: Stage,
}

impl Target {
    /// The link to what was released.
    #[must_use]
    pub fn release_url(&self) -> Option<&str> {
        let released = self.stages.iter().rfind(|stage| stage.done && stage.status == Status::Success)?;
        released.url.as_deref()
    }

    /// The version that it gave back.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.outputs.get("version").map(String::as_str)
    }

    /// The run that released it by an earlier ticket, in the browser.
    #[must_use]
    pub fn earlier_run(&self) -> Option<&str> {
        let start = self.start.as_ref().filter(|start| start.state == StartState::TakenOver)?;
        start.run_url.as_deref()
    }
}

impl Target {
    /// Whether its run was deleted, and nothing else says how it ended.
    #[must_use]
    pub fn has_lost_its_run(&self) -> bool {
        self.status.is_bad() && self.followed.as_ref().is_some_and(FollowedRun::is_deleted)
    }

    /// The check by which it failed, if its run ended well.
    #[must_use]
    pub fn failed_check(&self) -> Option<&Check> {
        let verification = self.verification.as_ref().filter(|_| self.status == TargetStatus::Failed)?;
        verification.failed_check()
    }

    /// Whether its run has ended, and nobody can say how, or not yet.
    #[must_use]
    pub fn has_unknown_end(&self) -> bool {
        let is_mute = self.followed.as_ref().is_some_and(FollowedRun::lacks_conclusion);
        self.has_lost_its_run() || is_mute && self.status == TargetStatus::InProgress
    }

    /// Whether its run was cancelled before it had a job.
    #[must_use]
    pub fn was_cancelled_before_any_job(&self) -> bool {
        let run = self.followed.as_ref();
        let has_begun = !self.stages.is_empty();
        let is_cancelled = self.status == TargetStatus::Cancelled && !has_begun;
        is_cancelled && run.is_some_and(FollowedRun::was_cancelled_before_any_job)
    }
}

impl Ticket {
    /// What keeps a target with these `needs` from ever being started, as things stand: a target that
    /// failed, or that waits for one that did.
    #[must_use]
    pub fn held_up_by<'t>(&'t self, needs: &'t [TargetName]) -> Option<(&'t TargetName, TargetStatus)> {
        let mut asked = BTreeSet::new();
        let mut open: Vec<&'t TargetName> = needs.iter().collect();
        while let Some(name) = open.pop() {
            match self.targets.get(name) {
                Some(target) if target.status.is_bad() => return Some((name, target.status)),
                Some(target)
                    if matches!(target.status, TargetStatus::Waiting | TargetStatus::OnHold)
                        && asked.insert(name) =>
                {
                    open.extend(&target.needs);
                }
                _ => {}
            }
        }
        None
    }

    /// Which targets of `needs` are not released yet, with how they stand; unknown if nothing was heard of one.
    pub fn awaited<'t>(
        &'t self,
        needs: &'t [TargetName],
    ) -> impl Iterator<Item = (&'t TargetName, Option<TargetStatus>)> {
        let status = |name: &TargetName| match self.targets.get(name) {
            Some(target) => Some(target.status),
            None => self.skip_of(name).map(|_| TargetStatus::Skipped),
        };
        let targets = needs.iter().filter(|name| self.rules.gate(name).is_none());
        let known = targets.map(move |name| (name, status(name)));
        known.filter(|(_, status)| !status.is_some_and(TargetStatus::is_released))
    }

    /// Whether every target of the ticket and every one that is `listed` is released, and no failure is open.
    #[must_use]
    pub fn is_done(&self, listed: &[TargetName]) -> bool {
        let is_released = |target: &Target| target.status.is_released();
        self.notices.is_empty()
            && self.targets.values().all(is_released)
            && listed.iter().all(|name| self.targets.get(name).is_some_and(is_released))
    }

    /// How many targets have this status.
    #[must_use]
    pub fn count(&self, status: TargetStatus) -> usize {
        self.targets.values().filter(|target| target.status == status).count()
    }

    /// The targets that stand as they do by a word that only a newer release knows.
    pub(super) fn held_by_newer_words(&self) -> Vec<&TargetName> {
        let held = self.targets.iter().filter(|(_, target)| {
            let newer_stage = target.stages.iter().any(|stage| stage.status.is_newer());
            let newer_start = target.start.as_ref().is_some_and(|start| start.state.is_newer());
            let newer_reason = target.because.as_ref().is_some_and(Word::is_newer);
            newer_stage || newer_start || newer_reason
        });
        held.map(|(name, _)| name).collect()
    }
}
