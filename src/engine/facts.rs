//! The facts that a hub job decides by: the ticket, its log, the answers to the job's questions, and the progress of
//! its own starts. [`Facts::learn`] folds answers in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::progress::VerificationProgress;
use super::ready::ReadyTarget;
use super::request::Request;
use super::step::{Failure, Pause, Step};
use crate::names::{CommentId, IssueRef, RunId, TargetName};
use crate::plan::{Effect, NewIssue};
use crate::problem::Problem;
use crate::ticket::claim::Liveness;
use crate::ticket::{
    Basis, Dispatch, FollowedRun, Log, Ping, Reason, Release, Start, StartState, Survey, Writer,
};

/// The times, after a start whose run is not known, at which a job looks for the run: GitHub's lists lag behind its
/// writes.
pub(super) const LOOKS: [Duration; 8] = [
    Duration::from_secs(0),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(7),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(90),
];

/// The number of looks without a result after which a job gives up, unless GitHub may still work on a request.
pub(super) const ENOUGH_LOOKS: usize = LOOKS.len() - 2;

/// The upper limit of `wait-timeout`; GitHub ends a job after
/// [five days](https://docs.github.com/actions/reference/limits) in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// The ticket of the release.
#[derive(Debug, Clone, PartialEq)]
pub enum TicketState {
    /// The issue exists.
    Open {
        /// The issue.
        issue: IssueRef,
        /// The issue in the browser.
        url: String,
        /// Whether this step opened the issue; `None` if the issue existed before.
        is_new: Option<bool>,
        /// The time of its opening, by GitHub's clock; `None` if the step has not read it.
        opened_at: Option<DateTime<Utc>>,
    },
    /// The issue has to be opened.
    New(Box<NewIssue>),
}

/// The facts that a hub job decides by.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The ticket.
    pub ticket: TicketState,
    /// Later issues of the same release, which have to be closed.
    pub duplicates: Vec<IssueRef>,
    /// The part of the ticket's log that this step has read.
    pub log: Log,
    /// The account under which this step writes.
    pub(super) identity: Identity,
    /// The time of the first pause for runs.
    pub(super) waits_since: Option<DateTime<Utc>>,
    /// Whether the job has read the log since its last claim on a target, with that claim in it.
    pub(super) has_read: bool,
    /// The lists that lack this job's last claim.
    pub(super) lag: Option<Lag>,
    pub(super) round: Round,
    /// The records that this step has written.
    pub(super) own_records: Vec<OwnRecord>,
    /// The targets' runs at this step's last look.
    pub(super) runs: BTreeMap<TargetName, FollowedRun>,
    /// The times of the last changes of these runs, by GitHub's clock.
    pub(super) changes: BTreeMap<TargetName, DateTime<Utc>>,
    pub(super) sight: BTreeMap<TargetName, LookProblems>,
    /// The runs that only a report assigns to a target.
    pub(super) doubts: BTreeMap<(TargetName, RunId), Doubt>,
    /// The hub jobs about which this step asks no more.
    pub(super) settled_jobs: BTreeMap<Writer, Liveness>,
    /// The targets that earlier tickets of the release have released, as entries of a record of this ticket.
    pub(super) inheritance: Vec<Start>,
    /// The failed targets that this job starts again, each with the claim that started its failed run; `None` before
    /// the job has decided that.
    pub(super) retries: Option<BTreeMap<TargetName, CommentId>>,
    pub(super) verifications: BTreeMap<TargetName, VerificationProgress>,
    /// The targets whose inputs read outputs that GitHub may show later.
    pub(super) awaited_outputs: BTreeMap<TargetName, AwaitedOutputs>,
    /// The targets that this job does not start, with the reason already in the log.
    pub(super) skips: BTreeSet<TargetName>,
    pub(super) starts: BTreeMap<TargetName, OwnStart>,
    /// The answers to this job's requests for the references by which jobs claim targets.
    pub(super) locks: BTreeMap<TargetName, Lock>,
    pub(super) board: Board,
    /// The second runs that GitHub did not cancel.
    pub(super) uncancelled_runs: BTreeSet<RunId>,
    /// The runs that began at a commit without approval.
    pub(super) unapproved_runs: BTreeSet<RunId>,
    /// The runs whose commit this job has compared with the approved one.
    pub(super) compared_runs: BTreeSet<RunId>,
    /// The runs that this step has cancelled.
    pub(super) cancelled_runs: BTreeSet<RunId>,
    /// The pings that this step has sent.
    pub(super) pings: Vec<Ping>,
    pub(super) recording: Recording,
    /// The targets that had not ended when the time to wait ended.
    pub(super) late_targets: BTreeSet<TargetName>,
    /// The targets for whose runs this job has searched; a cancelled job searches once.
    pub(super) searched_targets: BTreeSet<TargetName>,
    /// Whether the job has read the ticket once more before it refuses its command.
    pub(super) has_confirmed: bool,
    /// Whether the comment with this job's command has its last reaction.
    pub(super) has_reacted: bool,
    pub(super) is_closed: bool,
    /// Whether the ticket may have references that its end has to delete.
    pub(super) has_refs: bool,
    /// The problem with which the job cannot go on.
    pub(super) fatal_problem: Option<Problem>,
    /// The problems with which the job goes on.
    pub(super) problems: Vec<Problem>,
}

/// The account under which a job writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// The job has not asked GitHub.
    NotAsked,
    /// GitHub does not say; the first comment of this step will show it.
    Unknown,
    /// The login.
    Login(String),
}

/// Why a run that a report names does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    /// GitHub has not shown the run since this time.
    NotShown(DateTime<Utc>),
    /// The run is not the target's.
    Refuted,
}

/// The answers since the job's last pause: a pause ends a round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Round {
    /// Whether the job has read the log, with its own claims in it.
    pub(super) is_read: bool,
    /// The runs that the job has looked at.
    pub(super) runs: BTreeSet<(TargetName, RunId)>,
    /// The commits of the targets' refs; `None` if GitHub did not say.
    pub(super) commits: BTreeMap<TargetName, Option<String>>,
    /// The hub jobs about which the job has asked.
    pub(super) jobs: BTreeMap<Writer, Liveness>,
    /// Whether the job could not record the runs' progress.
    pub(super) has_failed_to_record: bool,
}

/// Lists that lack this job's last comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lag {
    /// The time of the first such list.
    pub(super) since: DateTime<Utc>,
    /// Their number.
    pub(super) lists: u32,
}

impl Lag {
    /// The longest wait for a list that shows the job's own comment.
    pub(super) const LIMIT: TimeDelta = TimeDelta::seconds(60);

    /// The time of the next look at the log: soon at first, and then every four seconds.
    pub(super) fn due(self) -> DateTime<Utc> {
        let lists = i64::from(self.lists);
        self.since + TimeDelta::milliseconds(500 * lists * lists).min(TimeDelta::seconds(4 * lists))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OwnRecord {
    pub(super) comment: CommentId,
    pub(super) url: String,
    pub(super) created_at: DateTime<Utc>,
    /// The author of the comment, by GitHub's word.
    pub(super) author: Option<String>,
    pub(super) record: Dispatch,
}

impl OwnRecord {
    /// Whether this job claims the target here, and has not left it to another job.
    pub(super) fn claims(&self, target: &TargetName) -> bool {
        self.record.targets.iter().any(|start| start.target == *target && !start.state.is_passive())
    }
}

/// The state of the reference by which jobs claim a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lock {
    /// This job has created the reference.
    Owned { turn: u32 },
    /// The reference exists, by the answer at `since`: another job has created it.
    Taken {
        turn: u32,
        since: DateTime<Utc>,
        /// Whether this job may have created the reference: its first request had no clear answer.
        is_unclear: bool,
    },
    /// This job may have created the reference: its request had no clear answer.
    Unclear { turn: u32 },
}

/// The problems with a look at a target's run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct LookProblems {
    /// The first time that GitHub refused to show the run.
    pub(super) refused_since: Option<DateTime<Utc>>,
    /// The first time that GitHub showed an ended run without its conclusion.
    pub(super) mute_since: Option<DateTime<Utc>>,
    /// GitHub's answers that no such run exists.
    pub(super) absence: Option<Absence>,
    /// Whether this job asks for the run no more.
    pub(super) is_hidden: bool,
    /// Whether nothing else shows the target's state either.
    pub(super) is_lost: bool,
}

/// Missing outputs that a target's inputs read, and that GitHub may show later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AwaitedOutputs {
    /// The time of the first look without them.
    pub(super) since: DateTime<Utc>,
    /// The number of looks without them.
    pub(super) looks: usize,
}

/// The absence of a run from GitHub, or from the replica that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Absence {
    /// The time of the first look without the run.
    pub(super) since: DateTime<Utc>,
    /// The number of looks without the run.
    pub(super) looks: usize,
}

impl Absence {
    /// The time of the next look of a job that does not follow the runs; `None` after enough looks.
    pub(super) fn next_look(self) -> Option<DateTime<Utc>> {
        (self.looks < ENOUGH_LOOKS).then(|| later(self.since, LOOKS[self.looks]))
    }
}

/// The progress of this step's start of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnStart {
    pub(super) sends: u32,
    pub(super) phase: StartPhase,
}

impl OwnStart {
    /// The outcome of the start; `None` while it is open.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            StartPhase::Settled(outcome) => Some(outcome),
            StartPhase::Cleared | StartPhase::Sent | StartPhase::Listing { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StartPhase {
    /// No earlier request has started a run.
    Cleared,
    /// The request is under way.
    Sent,
    /// A run may exist that GitHub lists later.
    Listing { since: DateTime<Utc>, looks: usize, cause: Cause },
    /// The outcome is known, and not recorded yet.
    Settled(Outcome),
}

/// Why a job looks for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// GitHub accepted the start and did not say which run it is.
    Unnamed,
    /// GitHub gave no clear answer: it may have accepted the start, and the run may appear late.
    Unclear(Failure),
    /// A hub job that claimed the target has ended.
    Died,
}

impl Cause {
    /// The number of looks without a run after which the job gives up.
    pub(super) fn looks(&self) -> usize {
        match self {
            Self::Unclear(_) => LOOKS.len(),
            Self::Unnamed | Self::Died => ENOUGH_LOOKS,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) state: StartState,
    pub(super) run: Option<(RunId, String)>,
    pub(super) reason: Option<Reason>,
}

impl Outcome {
    pub(super) fn of(state: StartState, reason: Reason) -> Self {
        Self { state, run: None, reason: Some(reason) }
    }

    pub(super) fn of_run(run: Option<(RunId, String)>) -> Self {
        Self { state: StartState::Started, run, reason: None }
    }

    /// A start without a clear answer, which may be one of these runs.
    pub(super) fn of_unclear_start(failure: Failure, runs: Vec<String>) -> Self {
        let Failure { what: error, help, .. } = failure;
        let help = help.map(|help| help.text);
        Self::of(StartState::Unknown, Reason::Unclear { error, runs, help })
    }

    pub(super) fn of_failure(failure: Failure) -> Self {
        if !failure.is_without_effect {
            return Self::of_unclear_start(failure, Vec::new());
        }
        let Failure { what: error, help, .. } = failure;
        Self::of(StartState::Refused, Reason::Refused { error, help: help.map(|help| help.text) })
    }
}

/// The facts for the release's record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recording {
    /// The record of the previous release, if one exists; `None` while the job has not asked.
    pub(super) previous_release: Option<Option<Box<Release>>>,
    pub(super) surveys: BTreeMap<TargetName, Survey>,
    /// Whether the job could not write the record.
    pub(super) has_failed: bool,
    /// Whether the job has tried to publish the record.
    pub(super) is_published: bool,
}

/// The state of the board.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Board {
    pub(super) due: Due,
    /// The board's comment, if this step has created it and not pinned it.
    pub(super) comment_to_pin: Option<CommentId>,
    /// The failure of the last update.
    pub(super) failure: Option<Failure>,
    /// Whether a forecast has assumed an update.
    pub(super) is_assumed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    /// The board is up to date.
    #[default]
    Not,
    /// Before the job pauses or ends.
    Later,
    /// Before anything is started.
    Now,
}

impl Facts {
    /// The facts of a job that begins: nothing except the ticket.
    #[must_use]
    pub fn new(ticket: TicketState, duplicates: Vec<IssueRef>) -> Self {
        Self {
            ticket,
            duplicates,
            log: Log::default(),
            identity: Identity::NotAsked,
            waits_since: None,
            has_read: false,
            lag: None,
            round: Round::default(),
            own_records: Vec::new(),
            runs: BTreeMap::new(),
            changes: BTreeMap::new(),
            sight: BTreeMap::new(),
            doubts: BTreeMap::new(),
            settled_jobs: BTreeMap::new(),
            inheritance: Vec::new(),
            retries: None,
            verifications: BTreeMap::new(),
            awaited_outputs: BTreeMap::new(),
            skips: BTreeSet::new(),
            starts: BTreeMap::new(),
            locks: BTreeMap::new(),
            board: Board { due: Due::Later, ..Board::default() },
            uncancelled_runs: BTreeSet::new(),
            unapproved_runs: BTreeSet::new(),
            compared_runs: BTreeSet::new(),
            cancelled_runs: BTreeSet::new(),
            pings: Vec::new(),
            recording: Recording::default(),
            late_targets: BTreeSet::new(),
            searched_targets: BTreeSet::new(),
            has_confirmed: false,
            has_reacted: false,
            is_closed: false,
            has_refs: true,
            fatal_problem: None,
            problems: Vec::new(),
        }
    }

    /// Adds a log that the step has just read, and the account under which it writes.
    #[must_use]
    pub fn with_log(mut self, log: Log, identity: Option<String>) -> Self {
        self.log = log;
        (self.has_read, self.round.is_read) = (true, true);
        self.identity = identity.map_or(Identity::NotAsked, Identity::Login);
        self
    }

    /// Adds the targets that earlier tickets of the release have released.
    #[must_use]
    pub fn with_inheritance(mut self, inheritance: Vec<Start>) -> Self {
        self.inheritance = inheritance;
        self
    }

    /// The problem with which the job cannot go on, if it has one.
    #[must_use]
    pub fn fatal_problem(&self) -> Option<&Problem> {
        self.fatal_problem.as_ref()
    }

    pub(super) fn basis(&self, request: &Request) -> Basis {
        let identity = match &self.identity {
            Identity::Login(login) => Some(login.clone()),
            Identity::NotAsked | Identity::Unknown => None,
        };
        let target = |ready: &ReadyTarget| (ready.name().clone(), ready.target.repository.clone());
        let hidden_targets =
            self.sight.iter().filter(|(_, sight)| sight.is_hidden).map(|(name, _)| name.clone());
        let targets = request.targets.iter().filter(|ready| ready.needs_verification());
        let verifications = self.verifications.iter();
        let verifications =
            verifications.filter_map(|(name, progress)| Some((name.clone(), progress.result.clone()?)));
        let commits = self.round.commits.iter();
        let commits = commits.filter_map(|(name, commit)| Some((name.clone(), commit.clone()?)));
        Basis {
            identity,
            repositories: request.targets.iter().map(target).collect(),
            runs: self.runs.clone(),
            verify: targets.map(|ready| (ready.name().clone(), ready.target.checks())).collect(),
            verifications: verifications.collect(),
            rules: request.rules.clone(),
            commits: commits.collect(),
            hidden_targets: hidden_targets.collect(),
        }
    }

    /// The rest of the time to wait for runs; `None` if the job does not wait.
    #[must_use]
    pub fn time_left(&self, request: &Request, now: DateTime<Utc>) -> Option<Duration> {
        let deadline = self.deadline(request, now)?;
        Some((deadline - now).to_std().unwrap_or_default())
    }

    /// The end of the time to wait, which begins with the first pause for runs.
    pub(super) fn deadline(&self, request: &Request, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let beginning = self.waits_since.unwrap_or(now);
        request.follow.map(|follow| later(beginning, follow.timeout.min(LONGEST_WAIT)))
    }

    /// Notes that these steps are under way.
    pub fn begin(&mut self, steps: &[Step], now: DateTime<Utc>) {
        if let [Step::Pause { reason: Pause::Runs(_), .. }] = steps {
            self.waits_since.get_or_insert(now);
        }
        let targets = steps.iter().filter_map(|step| match step {
            Step::Apply(Effect::StartWorkflow(start)) => Some(&start.target),
            Step::Apply(Effect::SendEvent(start)) => Some(&start.target),
            _ => None,
        });
        for target in targets {
            let own_start =
                self.starts.entry(target.clone()).or_insert(OwnStart { sends: 0, phase: StartPhase::Sent });
            own_start.sends += 1;
            own_start.phase = StartPhase::Sent;
        }
    }

    /// Prepares the facts for a job that was cancelled: it reads the ticket anew.
    pub fn wind_up(&mut self) {
        self.round = Round::default();
        self.searched_targets.clear();
        self.fatal_problem = None;
    }
}

/// `at` plus `by`, at most the last time that can be expressed.
pub(super) fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
