//! Steps: what a hub job does next, and the answers that come back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};

use crate::names::{CommentId, GitRef, IssueRef, RepoName, RunId, TargetName, WorkflowFile};
use crate::plan::{Applied, Effect};
use crate::ticket::claim::Liveness;
use crate::ticket::verification::{ATTESTATION, IMMUTABLE, RELEASE};
use crate::ticket::{Check, FollowedRun, Outputs, Reason, Release, Survey, Writer};

/// What is done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Read what changed on the ticket.
    ReadLog,
    /// Read what changed on the ticket before a command is refused: another job may have carried it out.
    Confirm,
    /// Ask under which account this step writes.
    AskIdentity,
    /// Ask whether another hub job is still at work.
    AskHubRun(Writer),
    /// Look how a run of a target stands.
    LookAtRun(RunOf),
    /// Ask at which commit a branch or tag is.
    LookAtCommit(CommitOf),
    /// Ask for the release that an attempt of a run has published.
    FindRelease(RunOf, u32),
    /// Check what a run has made.
    Verify(Box<Inspection>),
    /// Look for the record of the release before this one.
    LookBack(Before),
    /// Ask when a target's run did what, and for its release.
    Survey(Box<SurveyOf>),
    /// Look for the run of a start that may have happened.
    FindRun(Search),
    /// Decide which failed targets are started again, each with the claim that started its failed run.
    StartAgain(BTreeMap<TargetName, CommentId>),
    /// Decide that a target is not started, as its start cannot be written.
    Refuse {
        /// The target's name.
        target: TargetName,
        /// Why.
        because: Reason,
    },
    /// Change something on GitHub.
    Apply(Effect),
    /// Do nothing for a while.
    Pause {
        /// Until then.
        until: DateTime<Utc>,
        /// Why.
        reason: Pause,
    },
}

/// Why a hub job pauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// GitHub may list a run or a comment a little later.
    Listing,
    /// Another hub job claimed these targets first.
    Held(Vec<TargetName>),
    /// GitHub may show a little later what is verified of these targets.
    Verification(Vec<TargetName>),
    /// GitHub may show outputs a little later that the inputs of these targets read.
    Outputs(Vec<TargetName>),
    /// The runs of these targets go on.
    Runs(Vec<TargetName>),
}

/// A run of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunOf {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
}

/// The branch or tag at which a target is started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitOf {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// The branch or tag.
    pub git_ref: GitRef,
}

/// What is checked of what an attempt of a run has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The run.
    pub of: RunOf,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The workflow's file; none if an event started the run.
    pub workflow: Option<WorkflowFile>,
    /// The tag of a release that is published, and whose commit is the run's.
    pub tag: Option<String>,
    /// Whether that release is to be immutable.
    pub immutable: bool,
    /// The digest of which there is to be an attestation by the run's workflow and commit.
    pub attestation: Option<String>,
    /// The outputs of the target that the checks are made of.
    pub outputs: Outputs,
    /// The checks whose templates do not render.
    pub broken: Vec<Check>,
}

/// Where the record of the release before this one may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The ticket of this release.
    pub ticket: IssueRef,
    /// The label that tickets have, if they have one.
    pub label: Option<String>,
    /// The account that wrote it.
    pub author: String,
}

/// What is asked of a target that is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyOf {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// The run that released it, with the attempt, where it is known.
    pub run: Option<(RunId, u32)>,
    /// The first of its runs, where that is another one.
    pub first_run: Option<RunId>,
    /// The tags of which one may be that of its release.
    pub tags: Vec<String>,
    /// The tag or commit of the release before.
    pub base: Option<String>,
}

impl Inspection {
    /// What comes of the checks if all of them pass.
    #[must_use]
    pub fn passed(&self) -> Vec<Check> {
        let asked = [
            (RELEASE, self.tag.is_some()),
            (IMMUTABLE, self.immutable),
            (ATTESTATION, self.attestation.is_some()),
        ];
        let asked = asked.into_iter().filter_map(|(name, is_asked)| is_asked.then_some(name));
        let broken = self.broken.iter().map(|check| check.name.as_str());
        asked.chain(broken).map(|name| Check::passed(name, name)).collect()
    }
}

/// A run as GitHub shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// How it stands.
    pub run: FollowedRun,
    /// The file of its workflow; none if GitHub does not say.
    pub workflow: Option<String>,
    /// When it was created, by GitHub's clock.
    pub created_at: DateTime<Utc>,
    /// When the run or one of its jobs changed last, by GitHub's clock.
    pub changed_at: DateTime<Utc>,
    /// What it is called; blank if it has no name.
    pub title: String,
    /// Who started it, where GitHub says so.
    pub actor: Option<String>,
    /// By which event it was started, where GitHub says so.
    pub event: Option<String>,
    /// The commit that it runs, where GitHub says so: that of its branch or tag when it was started.
    pub head_sha: Option<String>,
}

/// What identifies the run of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The target's name.
    pub target: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// Its workflow.
    pub workflow: WorkflowFile,
    /// The runs of the workflow in the browser.
    pub page: String,
    /// The branch or tag.
    pub git_ref: GitRef,
    /// It was created at this time or later, by GitHub's clock.
    pub since: DateTime<Utc>,
    /// As whom it was started, where that is known.
    pub actor: Option<String>,
    /// The ticket that its name may hold.
    pub ticket: IssueRef,
    /// The other targets that are started by the same workflow at the same ref.
    pub siblings: Vec<TargetName>,
    /// Whether one of these may have a run that no claim records, or not yet.
    pub siblings_have_runs: bool,
    /// The runs that are known as those of other starts: it is none of them.
    pub known_runs: BTreeSet<RunId>,
    /// What says that there may be such a run.
    pub evidence: Evidence,
}

/// What says that a target may have been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A claim of this hub's account, or this job's own request.
    Claim,
    /// A claim of another account: the name of the run has to hold the ticket.
    ClaimOfOthers,
    /// Nothing. Somebody may have deleted the claim: a run whose name holds the ticket is the one.
    Nothing,
}

/// A run that could be the one that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The run.
    pub run: RunId,
    /// The run in the browser.
    pub url: String,
    /// What it is called; blank if it has no name.
    pub title: String,
    /// Who started it.
    pub actor: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is done, and there is nothing to say about it. What was read is in the log.
    Done,
    /// The log was read, and the list lacks a record of this job: the replica that answered lags.
    Stale,
    /// The effect was applied.
    Applied(Applied),
    /// The other hub job is at work, or has ended.
    HubRun(Liveness),
    /// Nobody can tell whether the other hub job is at work.
    HubRunUnknown,
    /// This step writes under this account; none if that cannot be had before it has written something.
    Identity(Option<String>),
    /// The run stands so.
    Run(Box<Sighting>),
    /// The branch or tag is at this commit.
    Commit(String),
    /// The outputs of the release that the run has published; none if there is no such release.
    Release(Option<Outputs>),
    /// The checks, and what came of each.
    Verified(Vec<Check>),
    /// The release before this one came to this; none if it is not found.
    Before(Option<Box<Release>>),
    /// GitHub says this of a target that is released.
    Surveyed(Box<Survey>),
    /// There is no such run, although the repository can be seen.
    NoRun,
    /// These runs could be the one.
    Runs(Vec<Candidate>),
    /// It failed.
    Failed(Failure),
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether asking again does not help.
    pub is_final: bool,
    /// Whether nothing happened for certain.
    pub is_without_effect: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Step {
    /// Whether the step only asks GitHub for something.
    #[must_use]
    pub fn is_question(&self) -> bool {
        matches!(
            self,
            Self::ReadLog
                | Self::Confirm
                | Self::AskIdentity
                | Self::AskHubRun(_)
                | Self::LookAtRun(_)
                | Self::LookAtCommit(_)
                | Self::FindRelease(..)
                | Self::Verify(_)
                | Self::FindRun(_)
                | Self::LookBack(_)
                | Self::Survey(_)
        )
    }
}
