//! What a hub job knows: the ticket, the log, the answers to its questions, and how far its own starts
//! have come. [`Known::learn`] folds answers in; the rules decide by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::ready::Ready;
use super::request::Request;
use super::step::{Failure, Pause, Step};
use super::verified::Verifying;
use crate::names::{CommentId, IssueRef, RunId, TargetName};
use crate::plan::{Effect, NewIssue};
use crate::problem::Problem;
use crate::ticket::claim::Liveness;
use crate::ticket::{
    Basis, Dispatch, FollowedRun, Log, Ping, Reason, Release, Start, StartState, Survey, Writer,
};

/// The run of a start that may have happened is looked for at these times: GitHub's lists lag behind
/// its writes.
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

/// So many looks that find nothing are enough, where no request is under way that may take its time.
pub(super) const ENOUGH_LOOKS: usize = LOOKS.len() - 2;

/// Nobody waits longer; GitHub ends a job after [five days](https://docs.github.com/actions/reference/limits) in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// The ticket of the release.
#[derive(Debug, Clone, PartialEq)]
pub enum TicketIs {
    /// It is there.
    Open {
        /// Which.
        issue: IssueRef,
        /// The issue in the browser.
        url: String,
        /// Whether this step opened it; unknown where it was there before.
        created: Option<bool>,
        /// When it was opened, by GitHub's clock, where that was read.
        opened_at: Option<DateTime<Utc>>,
    },
    /// It has to be opened.
    New(Box<NewIssue>),
}

/// What a hub job knows.
#[derive(Debug, Clone)]
pub struct Known {
    /// The ticket.
    pub ticket: TicketIs,
    /// Issues of the same release that came second, and have to be closed.
    pub duplicates: Vec<IssueRef>,
    /// The ticket's log, as far as it was read.
    pub log: Log,
    /// Under which account this step writes.
    pub(super) identity: Identity,
    /// When the job began to wait for runs.
    pub(super) waits_since: Option<DateTime<Utc>>,
    /// Whether the log was read since this job last claimed a target, with that claim in it.
    pub(super) has_read: bool,
    /// The lists that lack this job's last claim.
    pub(super) lag: Option<Lag>,
    pub(super) round: Round,
    /// The records that this step wrote.
    pub(super) own: Vec<Own>,
    /// How runs of targets stood when this step looked last.
    pub(super) runs: BTreeMap<TargetName, FollowedRun>,
    /// When these runs changed last, by GitHub's clock.
    pub(super) changes: BTreeMap<TargetName, DateTime<Utc>>,
    pub(super) sight: BTreeMap<TargetName, Sight>,
    /// The runs that reports name and that are not, or not yet, known as their target's.
    pub(super) doubts: BTreeMap<(TargetName, RunId), Doubt>,
    /// The hub jobs of which nothing new is to be learnt.
    pub(super) settled_jobs: BTreeMap<Writer, Liveness>,
    /// What earlier tickets of the release have released, as entries of a record of this one.
    pub(super) inherited: Vec<Start>,
    /// The failed targets that are started again, each with the claim that started its failed run.
    pub(super) again: Option<BTreeMap<TargetName, CommentId>>,
    /// How far the verification of targets has come.
    pub(super) verifying: BTreeMap<TargetName, Verifying>,
    /// The targets that wait for outputs which GitHub may show later.
    pub(super) awaited_outputs: BTreeMap<TargetName, AwaitedOutputs>,
    /// The targets that were left alone aloud.
    pub(super) left: BTreeSet<TargetName>,
    pub(super) starts: BTreeMap<TargetName, Attempt>,
    /// The references by which targets are claimed, as far as this job asked for them.
    pub(super) locks: BTreeMap<TargetName, Lock>,
    pub(super) board: Board,
    /// The second runs that GitHub did not cancel.
    pub(super) uncancelled: BTreeSet<RunId>,
    /// The runs that began at another commit than the one that was approved.
    pub(super) unapproved: BTreeSet<RunId>,
    /// The runs whose commit was compared with the one that was approved.
    pub(super) compared: BTreeSet<RunId>,
    /// The runs that this step has cancelled.
    pub(super) cancelled: BTreeSet<RunId>,
    /// What this step has pinged somebody for.
    pub(super) pinged: Vec<Ping>,
    /// What the release's record is made of.
    pub(super) recording: Recording,
    /// The targets that had not ended when the time to wait was over.
    pub(super) late: BTreeSet<TargetName>,
    /// The targets whose run a cancelled job has looked for.
    pub(super) searched: BTreeSet<TargetName>,
    /// Whether the ticket was read once more before this job's command is refused.
    pub(super) has_confirmed: bool,
    /// Whether the comment with this job's command has its last reaction.
    pub(super) has_reacted: bool,
    pub(super) is_closed: bool,
    /// Whether references of the ticket may be left when it is closed.
    pub(super) has_refs: bool,
    /// Why the job cannot go on, if it cannot.
    pub(super) stopped: Option<Problem>,
    /// What went wrong on the way.
    pub(super) problems: Vec<Problem>,
}

/// What a job knows of the account under which it writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// Nobody has asked.
    NotAsked,
    /// It is known when this step has written something.
    Unknown,
    /// This one.
    Is(String),
}

/// Why a run that a report names does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    /// GitHub has not shown it since then.
    NotShown(DateTime<Utc>),
    /// It is not the target's.
    Refuted,
}

/// What was asked since the job last paused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Round {
    /// The log was read, with this job's own claims in it.
    pub(super) is_read: bool,
    /// These runs were looked at.
    pub(super) runs: BTreeSet<(TargetName, RunId)>,
    /// The commits of the refs of these targets; none if GitHub did not say which one it is.
    pub(super) commits: BTreeMap<TargetName, Option<String>>,
    /// These hub jobs were asked about.
    pub(super) jobs: BTreeMap<Writer, Liveness>,
    /// What the runs do could not be recorded.
    pub(super) recording_failed: bool,
}

/// Lists that lack what this job has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lag {
    /// When the first one came.
    pub(super) since: DateTime<Utc>,
    /// So many have come.
    pub(super) lists: u32,
}

impl Lag {
    /// A job waits no longer until GitHub lists what it has written.
    pub(super) const LIMIT: TimeDelta = TimeDelta::seconds(60);

    /// When the log is read again: soon at first, and then every four seconds.
    pub(super) fn due(self) -> DateTime<Utc> {
        let lists = i64::from(self.lists);
        self.since + TimeDelta::milliseconds(500 * lists * lists).min(TimeDelta::seconds(4 * lists))
    }
}

/// A record that this step has created.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Own {
    pub(super) comment: CommentId,
    pub(super) url: String,
    pub(super) created_at: DateTime<Utc>,
    /// Who wrote it, by GitHub's word.
    pub(super) author: Option<String>,
    pub(super) record: Dispatch,
}

impl Own {
    /// Whether this job claimed the target here, and has not left it to another.
    pub(super) fn claims(&self, target: &TargetName) -> bool {
        self.record.targets.iter().any(|start| start.target == *target && !start.state.is_passive())
    }
}

/// What a job knows of the reference by which a target is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lock {
    /// This job has created it.
    Held { turn: u32 },
    /// Another job has created it; this one has known that since then.
    Taken {
        turn: u32,
        since: DateTime<Utc>,
        /// Whether it may be this job after all: its first request had no clear answer.
        is_unclear: bool,
    },
    /// This job may have created it: there was no clear answer.
    Unclear { turn: u32 },
}

/// Whether the runs of a target can be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Sight {
    /// Since when GitHub refuses to show the run.
    pub(super) refused_since: Option<DateTime<Utc>>,
    /// Since when GitHub shows that the run has ended, and not how.
    pub(super) mute_since: Option<DateTime<Utc>>,
    /// GitHub has no such run, as far as it was asked.
    pub(super) gone: Option<Gone>,
    /// It is not asked for any more.
    pub(super) is_unseen: bool,
    /// And nothing else says how the target stands.
    pub(super) is_lost: bool,
}

/// Outputs that a target's inputs read, and that are missing as far as GitHub has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AwaitedOutputs {
    /// When they were missing first.
    pub(super) since: DateTime<Utc>,
    /// So many looks have found no more.
    pub(super) looks: usize,
}

/// A run that GitHub does not have, or not in the replica that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Gone {
    /// When it was missing first.
    pub(super) since: DateTime<Utc>,
    /// So many looks have found no run.
    pub(super) looks: usize,
}

impl Gone {
    /// When a job that does not follow the runs looks again; none when it has looked often enough.
    pub(super) fn next_look(self) -> Option<DateTime<Utc>> {
        (self.looks < ENOUGH_LOOKS).then(|| later(self.since, LOOKS[self.looks]))
    }
}

/// How far the start of a target has come in this step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) sends: u32,
    pub(super) phase: Phase,
}

impl Attempt {
    /// What became of it, once that is settled.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Settled(outcome) => Some(outcome),
            Phase::Cleared | Phase::Sent | Phase::Listing { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// No run is there that an earlier request could have started.
    Cleared,
    /// The request is under way.
    Sent,
    /// A run may have been started, which may be listed later.
    Listing { since: DateTime<Utc>, looks: usize, cause: Cause },
    /// It is settled, and not recorded yet.
    Settled(Outcome),
}

/// Why a run is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// GitHub took the start, and did not say which run that is.
    Unnamed,
    /// GitHub gave no clear answer: a start that it took all the same may take its time.
    Unclear(Failure),
    /// A hub job that claimed the target has ended.
    Died,
}

impl Cause {
    /// So many looks that find no run are enough.
    pub(super) fn looks(&self) -> usize {
        match self {
            Self::Unclear(_) => LOOKS.len(),
            Self::Unnamed | Self::Died => ENOUGH_LOOKS,
        }
    }
}

/// What became of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) state: StartState,
    pub(super) run: Option<(RunId, String)>,
    pub(super) because: Option<Reason>,
}

impl Outcome {
    pub(super) fn of(state: StartState, because: Reason) -> Self {
        Self { state, run: None, because: Some(because) }
    }

    pub(super) fn started(run: Option<(RunId, String)>) -> Self {
        Self { state: StartState::Started, run, because: None }
    }

    /// It may have been started, as one of these runs.
    pub(super) fn unclear(failure: Failure, runs: Vec<String>) -> Self {
        let Failure { what: error, help, .. } = failure;
        Self::of(StartState::Unknown, Reason::Unclear { error, runs, help })
    }

    pub(super) fn failed(failure: Failure) -> Self {
        if !failure.is_without_effect {
            return Self::unclear(failure, Vec::new());
        }
        let Failure { what: error, help, .. } = failure;
        Self::of(StartState::Refused, Reason::Refused { error, help })
    }
}

/// What a job knows of the release's record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recording {
    /// The record of the release before, if there is one; none while nobody has asked.
    pub(super) before: Option<Option<Box<Release>>>,
    /// What GitHub says of the targets.
    pub(super) surveys: BTreeMap<TargetName, Survey>,
    /// Whether the record could not be written.
    pub(super) has_failed: bool,
    /// Whether it was published, or could not be.
    pub(super) is_published: bool,
}

/// What the board needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Board {
    pub(super) due: Due,
    /// The board, if this step created it and has not pinned it.
    pub(super) to_pin: Option<CommentId>,
    /// Why it is not up to date.
    pub(super) failure: Option<Failure>,
    /// Whether a forecast has assumed that it was written.
    pub(super) is_assumed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    /// It shows what is known.
    #[default]
    Not,
    /// Before the job pauses or ends.
    Later,
    /// Before anything is started.
    Now,
}

impl Known {
    /// What a job knows that begins now.
    #[must_use]
    pub fn new(ticket: TicketIs, duplicates: Vec<IssueRef>) -> Self {
        Self {
            ticket,
            duplicates,
            log: Log::default(),
            identity: Identity::NotAsked,
            waits_since: None,
            has_read: false,
            lag: None,
            round: Round::default(),
            own: Vec::new(),
            runs: BTreeMap::new(),
            changes: BTreeMap::new(),
            sight: BTreeMap::new(),
            doubts: BTreeMap::new(),
            settled_jobs: BTreeMap::new(),
            inherited: Vec::new(),
            again: None,
            verifying: BTreeMap::new(),
            awaited_outputs: BTreeMap::new(),
            left: BTreeSet::new(),
            starts: BTreeMap::new(),
            locks: BTreeMap::new(),
            board: Board { due: Due::Later, ..Board::default() },
            uncancelled: BTreeSet::new(),
            unapproved: BTreeSet::new(),
            compared: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            pinged: Vec::new(),
            recording: Recording::default(),
            late: BTreeSet::new(),
            searched: BTreeSet::new(),
            has_confirmed: false,
            has_reacted: false,
            is_closed: false,
            has_refs: true,
            stopped: None,
            problems: Vec::new(),
        }
    }

    /// The same, of a ticket whose log was read just now, by a step that writes under this account.
    #[must_use]
    pub fn with_log(mut self, log: Log, identity: Option<String>) -> Self {
        self.log = log;
        (self.has_read, self.round.is_read) = (true, true);
        self.identity = identity.map_or(Identity::NotAsked, Identity::Is);
        self
    }

    /// The same, with what earlier tickets of the release have released.
    #[must_use]
    pub fn taking_over(mut self, inherited: Vec<Start>) -> Self {
        self.inherited = inherited;
        self
    }

    /// Why the job cannot go on, if it cannot.
    #[must_use]
    pub fn stopped(&self) -> Option<&Problem> {
        self.stopped.as_ref()
    }

    /// What decisions rest on.
    pub(super) fn basis(&self, request: &Request) -> Basis {
        let identity = match &self.identity {
            Identity::Is(login) => Some(login.clone()),
            Identity::NotAsked | Identity::Unknown => None,
        };
        let target = |ready: &Ready| (ready.name().clone(), ready.target.repository.clone());
        let unseen = self.sight.iter().filter(|(_, sight)| sight.is_unseen).map(|(name, _)| name.clone());
        let verify = request.targets.iter().filter(|ready| ready.is_verified());
        let verified = self.verifying.iter();
        let verified =
            verified.filter_map(|(name, verifying)| Some((name.clone(), verifying.settled.clone()?)));
        let commits = self.round.commits.iter();
        let commits = commits.filter_map(|(name, commit)| Some((name.clone(), commit.clone()?)));
        Basis {
            identity,
            repositories: request.targets.iter().map(target).collect(),
            runs: self.runs.clone(),
            verify: verify.map(|ready| (ready.name().clone(), ready.target.checks())).collect(),
            verified: verified.collect(),
            rules: request.rules.clone(),
            commits: commits.collect(),
            unseen: unseen.collect(),
        }
    }

    /// How long the job goes on waiting; none if it does not wait.
    #[must_use]
    pub fn time_left(&self, request: &Request, now: DateTime<Utc>) -> Option<Duration> {
        let deadline = self.deadline(request, now)?;
        Some((deadline - now).to_std().unwrap_or_default())
    }

    /// When the time to wait is over; it begins with the first pause for runs.
    pub(super) fn deadline(&self, request: &Request, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let began = self.waits_since.unwrap_or(now);
        request.follow.map(|follow| later(began, follow.timeout.min(LONGEST_WAIT)))
    }

    /// Keeps in mind that these steps are under way.
    pub fn send(&mut self, steps: &[Step], now: DateTime<Utc>) {
        if let [Step::Pause { reason: Pause::Runs(_), .. }] = steps {
            self.waits_since.get_or_insert(now);
        }
        let targets = steps.iter().filter_map(|step| match step {
            Step::Apply(Effect::StartWorkflow(start)) => Some(&start.target),
            Step::Apply(Effect::SendEvent(start)) => Some(&start.target),
            _ => None,
        });
        for target in targets {
            let attempt =
                self.starts.entry(target.clone()).or_insert(Attempt { sends: 0, phase: Phase::Sent });
            attempt.sends += 1;
            attempt.phase = Phase::Sent;
        }
    }

    /// The job was cancelled: what it knows of the ticket is looked at anew.
    pub fn wind_up(&mut self) {
        self.round = Round::default();
        self.searched.clear();
        self.stopped = None;
    }
}

/// `at`, so much later.
pub(super) fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
