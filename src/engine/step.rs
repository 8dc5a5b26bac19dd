//! Steps of a hub job, and the answers to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};

use crate::names::{CommentId, GitRef, IssueRef, RepoName, RunId, TargetName, WorkflowFile};
use crate::plan::{Effect, EffectOutcome};
use crate::problem::Advice;
use crate::ticket::claim::Liveness;
use crate::ticket::verification::{ATTESTATION, IMMUTABLE, RELEASE};
use crate::ticket::{Check, FollowedRun, Outputs, Reason, Release, Survey, Writer};

/// A step of a hub job.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Read the changes of the ticket.
    ReadLog,
    /// Read the changes of the ticket before a command is refused: another job may have carried it out.
    ReadLogBeforeRefusal,
    /// Ask for the account under which this step writes.
    AskIdentity,
    /// Ask whether another hub job is still at work.
    AskHubRun(Writer),
    /// Look at a run of a target.
    LookAtRun(TargetRun),
    /// Ask for the commit of a branch or tag.
    LookAtCommit(TargetRef),
    /// Ask for the release that an attempt of a run has published.
    FindRelease(TargetRun, u32),
    /// Check the products of a run.
    Verify(Box<Inspection>),
    /// Look for the record of the previous release.
    FindPreviousRelease(RecordSearch),
    /// Ask for the times of a target's run, and for its release.
    Survey(Box<SurveyRequest>),
    /// Look for the run of a start that may have happened.
    FindRun(Search),
    /// Decide which failed targets are started again, each with the claim that started its failed run.
    StartAgain(BTreeMap<TargetName, CommentId>),
    /// Refuse a start whose request cannot be written.
    Refuse {
        /// The target's name.
        target: TargetName,
        /// The reason.
        reason: Reason,
    },
    /// Change something on GitHub.
    Apply(Effect),
    /// Do nothing for a while.
    Pause {
        /// The end of the pause.
        until: DateTime<Utc>,
        /// The reason.
        reason: Pause,
    },
}

/// Why a hub job pauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// GitHub may list a run or a comment a little later.
    Listing,
    /// Another hub job claimed these targets first.
    OtherJobs(Vec<TargetName>),
    /// GitHub may show the products of these targets a little later.
    Verification(Vec<TargetName>),
    /// GitHub may show the outputs that the inputs of these targets read a little later.
    Outputs(Vec<TargetName>),
    /// The runs of these targets have not ended.
    Runs(Vec<TargetName>),
}

/// A run of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetRun {
    /// The target's name.
    pub target: TargetName,
    /// The repository of its runs.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
}

/// The branch or tag at which a target is started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetRef {
    /// The target's name.
    pub target: TargetName,
    /// The repository of its runs.
    pub repository: RepoName,
    /// The branch or tag.
    pub git_ref: GitRef,
}

/// The checks of the products of a run's attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The run.
    pub target_run: TargetRun,
    /// The run's attempt, from 1.
    pub attempt: u32,
    /// The workflow's file; `None` if an event started the run.
    pub workflow: Option<WorkflowFile>,
    /// The tag that has to have a published release, at the run's commit; `None` if this is not checked.
    pub tag: Option<String>,
    /// Whether that release has to be immutable.
    pub must_be_immutable: bool,
    /// The digest that has to have an attestation by the run's workflow and commit; `None` if this is not checked.
    pub attestation: Option<String>,
    /// The outputs of the target that the checks use.
    pub outputs: Outputs,
    /// The checks whose templates do not render.
    pub broken_checks: Vec<Check>,
}

/// A search for the record of the previous release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSearch {
    /// The ticket of this release.
    pub ticket: IssueRef,
    /// The label of tickets; `None` if they have none.
    pub label: Option<String>,
    /// The account that writes records.
    pub author: String,
}

/// The questions about a released target, for the release's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyRequest {
    /// The target's name.
    pub target: TargetName,
    /// The repository of its runs.
    pub repository: RepoName,
    /// The run and attempt that released it; `None` if they are not known.
    pub run: Option<(RunId, u32)>,
    /// The first of its runs, if that is another one.
    pub first_run: Option<RunId>,
    /// The candidates for the tag of its release.
    pub tags: Vec<String>,
    /// The tag or commit of the previous release; `None` if it is not known.
    pub base: Option<String>,
}

impl Inspection {
    /// The checks, as if all of them passed.
    #[must_use]
    pub fn passing_checks(&self) -> Vec<Check> {
        let names = [
            (RELEASE, self.tag.is_some()),
            (IMMUTABLE, self.must_be_immutable),
            (ATTESTATION, self.attestation.is_some()),
        ];
        let names = names.into_iter().filter_map(|(name, is_asked)| is_asked.then_some(name));
        let broken = self.broken_checks.iter().map(|check| check.name.as_str());
        names.chain(broken).map(|name| Check::success(name, name)).collect()
    }
}

/// A run as GitHub shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Its state.
    pub run: FollowedRun,
    /// The file of its workflow; `None` if GitHub does not say.
    pub workflow: Option<String>,
    /// The time of its creation, by GitHub's clock.
    pub created_at: DateTime<Utc>,
    /// The time of the last change of the run or one of its jobs, by GitHub's clock.
    pub changed_at: DateTime<Utc>,
    /// Its name; blank if it has none.
    pub title: String,
    /// The account that started it; `None` if GitHub does not say.
    pub actor: Option<String>,
    /// The event that started it; `None` if GitHub does not say.
    pub event: Option<String>,
    /// The commit of its branch or tag at its start; `None` if GitHub does not say.
    pub head_sha: Option<String>,
}

/// A search for the run of a start, by the properties that identify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The target's name.
    pub target: TargetName,
    /// The repository of its runs.
    pub repository: RepoName,
    /// The target's workflow.
    pub workflow: WorkflowFile,
    /// The runs of the workflow in the browser.
    pub runs_url: String,
    /// The branch or tag.
    pub git_ref: GitRef,
    /// The earliest time of the run's creation, by GitHub's clock.
    pub since: DateTime<Utc>,
    /// The account that started the run; `None` if it is not known.
    pub actor: Option<String>,
    /// The ticket, which the run's name may hold.
    pub ticket: IssueRef,
    /// The other targets with the same workflow and ref.
    pub siblings: Vec<TargetName>,
    /// Whether one of these may have a run that no claim records.
    pub siblings_have_runs: bool,
    /// The runs of other starts, which the search leaves out.
    pub other_runs: BTreeSet<RunId>,
    /// The evidence that such a run may exist.
    pub evidence: Evidence,
}

/// The evidence that a target may have been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A claim of this hub's account, or this job's own request.
    Claim,
    /// A claim of another account: the run counts only if its name holds the ticket.
    ClaimOfOthers,
    /// None. Somebody may have deleted the claim: a run counts only if its name holds the ticket.
    Nothing,
}

/// A run that a search may be looking for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The run.
    pub run: RunId,
    /// The run in the browser.
    pub url: String,
    /// Its name; blank if it has none.
    pub title: String,
    /// The account that started it.
    pub actor: Option<String>,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
}

/// The answer to a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The step is done, without a result. (The log has the comments that it read.)
    Done,
    /// The list of comments lacks a record of this job: the replica that answered lags.
    Stale,
    /// The effect was applied.
    Applied(EffectOutcome),
    /// The liveness of the other hub job.
    HubRun(Liveness),
    /// GitHub does not show the other hub job to this token.
    HubRunUnknown,
    /// The account under which this step writes; `None` if GitHub does not say before the step has written something.
    Identity(Option<String>),
    /// The run.
    Run(Box<Sighting>),
    /// The commit of the branch or tag.
    Commit(String),
    /// The outputs of the release that the run has published; `None` without such a release.
    Release(Option<Outputs>),
    /// The checks with their results.
    Checks(Vec<Check>),
    /// The record of the previous release; `None` if it was not found.
    PreviousRelease(Option<Box<Release>>),
    /// GitHub's answers about a released target.
    Survey(Box<Survey>),
    /// The repository is visible, and has no such run.
    NoRun,
    /// The runs that a search has to choose from.
    Runs(Vec<Candidate>),
    /// The step failed.
    Failed(Failure),
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The event in a few words, for a message.
    pub what: String,
    /// The next step for a person; `None` if the message says enough.
    pub help: Option<Advice>,
    /// Whether a repetition is useless.
    pub is_final: bool,
    /// Whether it is certain that nothing happened.
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
                | Self::ReadLogBeforeRefusal
                | Self::AskIdentity
                | Self::AskHubRun(_)
                | Self::LookAtRun(_)
                | Self::LookAtCommit(_)
                | Self::FindRelease(..)
                | Self::Verify(_)
                | Self::FindRun(_)
                | Self::FindPreviousRelease(_)
                | Self::Survey(_)
        )
    }
}
