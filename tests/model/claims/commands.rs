//! The commands of people in model B, which every start has to obey.
//!
//! Some of the jobs read a command each, and go on like any dispatch. The record of a command that no job of the model
//! reads appears at any moment, as if the job that wrote it had died after that.
//!
//! `words` has the rules for the start of a target once more, independently of the product.

#[path = "../../simulation/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use release_ticket_action::command::{About, Command};
use release_ticket_action::engine::request::CommandRequest;
use release_ticket_action::engine::{Follow, Step};
use release_ticket_action::names::{CommentId, Login, Reaction, RunId, TargetName};
use release_ticket_action::plan::Effect;
use release_ticket_action::ticket::decision::{ApprovedCommit, Outcome, Person};
use release_ticket_action::ticket::gate::MovePolicy;
use release_ticket_action::ticket::{Decision, Freeze, Gate, Log, Record, Rules, StartState, Verb, Word};
use serde_json::Map;
use stateright::Property;
use words::{RequiredCommit, Words};

use super::{
    Action, Claims, HUB_RUN, Job, Phase, RECORDED, State, index_of, name, number_of, run_id, runs_in, writer,
    writer_of,
};
use crate::library::{Id, LogId, Text};
use crate::store::Lag;

/// The commands of people, and the rules and targets that they concern.
#[derive(Debug, Clone, Default)]
pub(crate) struct People {
    /// The commands, the one of the oldest comment first.
    pub(crate) commands: Vec<PersonCommand>,
    /// The command that each of the first jobs reads, as its place among the commands; the other jobs dispatch.
    pub(crate) readers: Vec<usize>,
    /// The number of people who have to say go at the gate that every target needs, if there is a gate.
    pub(crate) required_approvals: Option<u32>,
    /// Whether an approval counts when the ref of a target has moved.
    pub(crate) may_move: bool,
    /// Whether each target needs the one before it.
    pub(crate) chain: bool,
    /// Whether a freeze of years forbids all starts.
    pub(crate) is_frozen: bool,
    /// Whether the jobs that read no command follow the runs.
    pub(crate) follow: bool,
    /// Whether runs succeed at once; otherwise they go on.
    pub(crate) releases: bool,
    /// So many times the refs of the targets may move.
    pub(crate) moves: u8,
}

/// A command.
#[derive(Debug, Clone)]
pub(crate) struct PersonCommand {
    /// The id of its author.
    pub(crate) who: u64,
    pub(crate) verb: Verb,
    /// The targets that it names, if any.
    pub(crate) about: &'static [usize],
}

/// The records of and reactions to commands, and the moves of the targets' refs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Talk {
    /// The commands whose record has appeared without a job of the model.
    orphans: BTreeSet<usize>,
    /// The last reactions: the command, and whether the reaction says that it counts.
    reactions: BTreeSet<(usize, bool)>,
    /// The number of moves of the refs.
    pub(super) moves: u8,
    /// The number of moves before each run that a job has started, by run.
    heads: BTreeMap<usize, u8>,
}

pub(crate) const NOT_AGAINST: &str = "no job starts a target against a command that it has read";
pub(crate) const HEARD: &str = "a job that starts a target has read every decision before its claim";
pub(crate) const AS_ASKED: &str = "no target is started more often than people have asked for";
pub(crate) const ONCE: &str = "a command repeats a target once";
pub(crate) const NEWEST: &str = "the newest command counts, independent of the order of the records";
pub(crate) const ANSWERED: &str = "each command has one last reaction, which says whether it counts";
pub(crate) const FINISHED: &str = "a later dispatch starts every target without a veto, and no other";
pub(crate) const NOT_STUCK: &str = "a job that is left alone gets to the end";

/// The properties of models with commands.
pub(super) fn properties() -> Vec<Property<Claims>> {
    vec![
        Property::always(NOT_AGAINST, |model: &Claims, state: &State| {
            state.jobs.iter().all(|job| job.goes_against(&model.people).is_none())
        }),
        Property::always(HEARD, |model: &Claims, state: &State| {
            // An old list with its reader's own writes on top hides the commands of others.
            model.lag == Lag::Overlay || (0..state.jobs.len()).all(|number| state.has_heard(number))
        }),
        Property::always(AS_ASKED, |model: &Claims, state: &State| {
            let is_asked_for = |runs, target| runs <= state.all().get(|log| allowed_starts(log, target));
            let mut runs = (0..model.targets).map(|target| (state.runs_of(target), target));
            runs.all(|(runs, target)| runs <= 1 || is_asked_for(runs, target))
        }),
        Property::always(ONCE, |_, state: &State| !state.has_ended() || state.all().get(repeats_once)),
        Property::always(NEWEST, |model: &Claims, state: &State| {
            let is_read = |log: &Log| (0..model.targets).all(|target| is_read_as_said(log, &name(target)));
            !state.has_ended() || state.all().get(is_read)
        }),
        Property::always(ANSWERED, |model: &Claims, state: &State| state.has_answers(model)),
        Property::always(FINISHED, |model: &Claims, state: &State| {
            !state.has_ended() || state.in_flight.is_empty() && state.can_be_finished(model)
        }),
        Property::always(RECORDED, |_, state: &State| state.starts_are_recorded()),
        Property::always(NOT_STUCK, |model: &Claims, state: &State| {
            let mut jobs_at_work =
                (0..state.jobs.len()).filter(|job| state.jobs[*job].phase == Phase::AtWork);
            let (Some(number), None) = (jobs_at_work.next(), jobs_at_work.next()) else { return true };
            let alone = state.left_alone(number, model);
            alone.jobs[number].is_cancelled || alone.ended_well(number)
        }),
    ]
}

/// The reason why a target may not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Veto {
    Skip,
    Hold,
    Gate,
    Freeze,
}

/// The reason why a target may not start, by the decisions in a log and the commit of its ref.
fn veto(log: &Log, people: &People, target: &TargetName, commit: Option<u8>) -> Option<Veto> {
    let words = words_of(log);
    let sha = commit.map(sha);
    let commit_rule = if people.may_move { RequiredCommit::Any } else { RequiredCommit::At(sha.as_deref()) };
    let is_open = |required_approvals| words.lets_pass(&gate(), required_approvals, target, commit_rule);
    let is_overridden = |freeze: Freeze| words.overrides(&freeze);
    if words.skips(target) {
        Some(Veto::Skip)
    } else if words.holds(target) {
        Some(Veto::Hold)
    } else if !people.required_approvals.is_none_or(is_open) {
        Some(Veto::Gate)
    } else if !people.freeze().is_none_or(is_overridden) {
        Some(Veto::Freeze)
    } else {
        None
    }
}

fn words_of(log: &Log) -> Words<'_> {
    Words::of(log.decisions().map(|(_, decision)| decision))
}

/// Whether the product reads holds and skips in the same way as `words`.
fn is_read_as_said(log: &Log, target: &TargetName) -> bool {
    let (ticket, words) = (log.ticket(), words_of(log));
    ticket.hold_of(target).is_some() == words.holds(target)
        && ticket.skip_of(target).is_some() == words.skips(target)
}

/// The number of people who have ever approved a commit of a target.
fn approvers(log: &Log, target: &TargetName, sha: &str) -> usize {
    let gos = log.decisions().filter(|(_, decision)| decision.asks_for(Verb::Go));
    let is_it = |of: &ApprovedCommit| of.target == *target && of.sha.as_deref() == Some(sha);
    let approvals = gos.filter(|(_, decision)| decision.commits.iter().any(is_it));
    approvals.map(|(_, decision)| decision.who.id).collect::<BTreeSet<u64>>().len()
}

/// The failures of a target that commands repeat: the claim of the failed run, and the command.
fn repeats(log: &Log, target: &TargetName) -> BTreeSet<(CommentId, CommentId)> {
    let retries = log.decisions().filter(|(_, decision)| decision.asks_for(Verb::Retry));
    let of_target = retries.flat_map(|(_, decision)| {
        decision.retries.iter().map(move |retry| (&retry.target, retry.after, decision.comment))
    });
    of_target.filter(|(of, _, _)| *of == target).map(|(_, after, comment)| (after, comment)).collect()
}

/// The number of allowed starts of a target: one, and one for each failure that a command repeats.
fn allowed_starts(log: &Log, target: usize) -> usize {
    let failures: BTreeSet<CommentId> =
        repeats(log, &name(target)).into_iter().map(|(after, _)| after).collect();
    1 + failures.len()
}

/// Whether no command repeats more than one failure of a target.
fn repeats_once(log: &Log) -> bool {
    let targets: BTreeSet<&TargetName> = log
        .decisions()
        .flat_map(|(_, decision)| decision.retries.iter().map(|retry| &retry.target))
        .collect();
    targets.into_iter().all(|target| {
        let repeats = repeats(log, target);
        let commands: BTreeSet<CommentId> = repeats.iter().map(|(_, comment)| *comment).collect();
        commands.len() == repeats.len()
    })
}

/// The SHA of the refs after so many moves.
pub(super) fn sha(moves: u8) -> String {
    format!("commit-{moves}")
}

/// The gate of the model.
fn gate() -> TargetName {
    "go".into()
}

fn comment_of(command: usize) -> CommentId {
    CommentId(1000 + command as u64)
}

fn command_of(comment: CommentId) -> usize {
    usize::try_from(comment.0 - 1000).expect("a command of the model")
}

/// The number of jobs after the end of all others: one dispatches, and one ends all holds.
const LATER: usize = 2;

impl People {
    /// Whether there are commands or rules.
    pub(super) fn speak(&self) -> bool {
        !self.commands.is_empty() || self.required_approvals.is_some() || self.is_frozen
    }

    pub(super) fn rules(&self) -> Rules {
        let gate = |required_approvals| Gate {
            name: gate(),
            approvers: Vec::new(),
            required_approvals,
            excludes_driver: false,
            move_policy: Word::Known(if self.may_move { MovePolicy::Warn } else { MovePolicy::Lapse }),
        };
        Rules {
            gates: self.required_approvals.map(gate).into_iter().collect(),
            freezes: self.freeze().into_iter().collect(),
        }
    }

    fn freeze(&self) -> Option<Freeze> {
        let from = DateTime::<Utc>::UNIX_EPOCH;
        let freeze = Freeze { from, to: from + TimeDelta::days(1000), reason: String::new() };
        self.is_frozen.then_some(freeze)
    }

    pub(super) fn needs_of(&self, target: usize) -> Vec<TargetName> {
        let before = target.checked_sub(1).filter(|_| self.chain).map(name);
        before.into_iter().chain(self.required_approvals.map(|_| gate())).collect()
    }

    pub(super) fn follow(&self, number: usize) -> Option<Follow> {
        let follow = Follow { timeout: Duration::from_secs(1800), interval: Duration::from_secs(60) };
        (self.follow && number >= self.readers.len()).then_some(follow)
    }

    /// The command that the job reads, in a model with so many jobs.
    pub(super) fn command_of(&self, number: usize, jobs: usize) -> Option<CommandRequest> {
        let is_last = number == jobs + LATER - 1;
        let last = || Some((self.commands.len(), PersonCommand { who: 1, verb: Verb::Resume, about: &[] }));
        let of_job = || self.readers.get(number).map(|command| (*command, self.commands[*command].clone()));
        let (command, entry) = if is_last { last() } else { of_job() }?;
        let about = match entry.about {
            [] => About::Default,
            names => About::These(names.iter().map(|target| name(*target)).collect()),
        };
        Some(CommandRequest {
            comment: comment_of(command),
            comment_url: String::new(),
            author: entry.person(),
            command: Ok(Command { verb: entry.verb, about, reason: None }),
            failure: None,
            gates: self.required_approvals.map(|_| gate()).into_iter().collect(),
        })
    }
}

impl PersonCommand {
    fn person(&self) -> Person {
        let login = Login::parse(&format!("person-{}", self.who)).expect("a login");
        Person { login, id: self.who, role: "write".to_owned() }
    }
}

impl Talk {
    /// A run begins, at the commit of its ref.
    pub(super) fn begin(&mut self, run: usize) {
        self.heads.insert(run, self.moves);
    }

    /// The commit of a run.
    pub(super) fn head_of(&self, run: usize) -> Option<String> {
        self.heads.get(&run).copied().map(sha)
    }

    pub(super) fn react(&mut self, comment: CommentId, reaction: Reaction) {
        self.reactions.insert((command_of(comment), reaction == Reaction::Rocket));
    }
}

impl Claims {
    /// The next possible commands of people and moves of the refs.
    pub(super) fn talk_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_unsaid =
            |command: &usize| !self.people.readers.contains(command) && !state.talk.orphans.contains(command);
        actions.extend((0..self.people.commands.len()).filter(is_unsaid).map(Action::Say));
        actions.extend((state.talk.moves < self.people.moves).then_some(Action::Move));
    }

    /// The record of a command; the job that wrote it has died.
    fn record_of(&self, command: usize, commit: u8) -> Decision {
        let entry = &self.people.commands[command];
        let targets = || entry.about.iter().map(|target| name(*target)).collect();
        let commits = (0..self.targets).map(|target| ApprovedCommit {
            target: name(target),
            repository: "acme/web".parse().expect("a name"),
            git_ref: "main".into(),
            sha: Some(sha(commit)),
        });
        let is_on_gates = [Verb::Go, Verb::NoGo].contains(&entry.verb);
        Decision {
            by: writer_of(RunId(HUB_RUN + 50 + command as u64), 1),
            seq: 1,
            run_url: String::new(),
            command: Some(Word::Known(entry.verb)),
            names: if is_on_gates { vec![gate()] } else { targets() },
            reason: None,
            who: entry.person(),
            comment: comment_of(command),
            comment_url: String::new(),
            outcome: Outcome::Accepted.into(),
            answer: None,
            commits: if is_on_gates { commits.collect() } else { Vec::new() },
            retries: Vec::new(),
            cancels: Vec::new(),
            freezes: self
                .people
                .freeze()
                .filter(|_| entry.verb == Verb::OverrideFreeze)
                .into_iter()
                .collect(),
            at: DateTime::UNIX_EPOCH,
            other: Map::new(),
        }
    }
}

impl State {
    /// The log of all comments.
    fn all(&self) -> LogId {
        LogId::whole(self.store.comments())
    }

    fn has_ended(&self) -> bool {
        self.jobs.iter().all(|job| job.phase != Phase::AtWork)
    }

    /// The record of a command appears.
    pub(super) fn say(&mut self, command: usize, model: &Claims) {
        self.talk.orphans.insert(command);
        let record = Record::Decision(model.record_of(command, self.talk.moves));
        let id = self.store.create(Text::of(&record.render()));
        for job in self.jobs.iter_mut().filter(|job| job.phase == Phase::AtWork && model.lag == Lag::Fresh) {
            job.reader.notice(id);
        }
    }

    /// Whether a job that is about to start a target has read every decision before its claim.
    fn has_heard(&self, number: usize) -> bool {
        let job = &self.jobs[number];
        let Some(target) = job.starts_next() else { return true };
        let me = writer(number, job.attempt);
        let claim = job.reader.log.get(|log| {
            let own = log.dispatches().filter(|(_, dispatch)| dispatch.by == me);
            let claims = own.filter(|(_, dispatch)| {
                let is_claim = |state: &Word<StartState>| *state == StartState::Claimed;
                dispatch.targets.iter().any(|start| start.target == target && is_claim(&start.state))
            });
            claims.map(|(comment, _)| crate::library::id_of(comment.id)).max()
        });
        let Some(claim) = claim else { return false };
        let decision_ids: Vec<Id> = self
            .all()
            .get(|log| log.decisions().map(|(comment, _)| crate::library::id_of(comment.id)).collect());
        decision_ids.into_iter().filter(|id| *id < claim).all(|id| job.reader.log.has_record(id))
    }

    /// Whether each command that a job has carried to the end has its reaction.
    fn has_answers(&self, model: &Claims) -> bool {
        if !self.has_ended() {
            return true;
        }
        let readers = &model.people.readers;
        let commands: BTreeSet<usize> = readers.iter().copied().collect();
        commands.into_iter().all(|command| {
            let mut jobs = (0..readers.len()).filter(|job| readers[*job] == command);
            let alone = readers.iter().filter(|other| **other == command).count() == 1;
            if !jobs.any(|job| self.ended_well(job) && !self.jobs[job].has_failed) {
                return true;
            }
            let of_command = self.talk.reactions.iter().filter(|(of, _)| *of == command);
            let reactions: Vec<bool> = of_command.map(|(_, is_good)| *is_good).collect();
            let counts = self.all().get(|log| counts(log, command));
            if alone || model.lag == Lag::Fresh { reactions == [counts] } else { !reactions.is_empty() }
        })
    }

    /// Whether later jobs can finish the release: they read commands without a record again, one dispatches, the jobs that
    /// have read a command are re-run, and one ends all holds.
    fn can_be_finished(&self, model: &Claims) -> bool {
        let mut later = self.clone();
        for (number, command) in model.people.readers.iter().enumerate() {
            if !later.all().get(|log| log.decisions().any(|(_, of)| of.comment == comment_of(*command))) {
                later.run_again(number, model);
            }
        }
        let after_dispatch = later.with_one_more_job(model);
        let mut after_rerun = after_dispatch.clone();
        (0..model.people.readers.len()).for_each(|number| after_rerun.run_again(number, model));
        let after_resume = after_rerun.with_one_more_job(model);
        after_dispatch.is_finished(&later, model)
            && after_rerun.is_finished(&after_dispatch, model)
            && after_resume.is_finished(&after_rerun, model)
            && (0..after_resume.jobs.len()).all(|number| after_resume.jobs[number].phase != Phase::AtWork)
    }

    /// The job is run again, alone.
    fn run_again(&mut self, number: usize, model: &Claims) {
        self.jobs[number] = model.job(number, self.jobs[number].attempt + 1);
        *self = self.left_alone(number, model);
    }

    /// The state after one more job, which goes on alone.
    fn with_one_more_job(&self, model: &Claims) -> Self {
        let (mut later, number) = (self.clone(), self.jobs.len());
        later.jobs.push(model.job(number, 1));
        later.left_alone(number, model)
    }

    /// Whether every target without a veto is started, and no other since `before`.
    fn is_finished(&self, before: &Self, model: &Claims) -> bool {
        let log = self.all();
        (0..model.targets).all(|target| {
            let (runs, limit) = (self.runs_of(target), log.get(|log| allowed_starts(log, target)));
            let veto = log.get(|log| veto(log, &model.people, &name(target), Some(self.talk.moves)));
            let waits = target > 0 && model.people.chain && !self.is_over(target - 1, model);
            let is_kept = veto.is_some() || waits;
            if is_kept { runs == before.runs_of(target) } else { runs == limit }
        }) && log.get(|log| self.cancels_are_made(log))
            && self.runs_are_approved(model)
    }

    /// Whether every run that a command cancels is cancelled.
    fn cancels_are_made(&self, log: &Log) -> bool {
        let cancels = log.decisions().filter(|(_, decision)| decision.asks_for(Verb::Cancel));
        let mut runs = cancels.flat_map(|(_, decision)| &decision.cancels);
        runs.all(|cancel| self.cancelled_runs.contains(&index_of(cancel.run)))
    }

    /// Whether no recorded run goes on at a commit that too few people have approved.
    fn runs_are_approved(&self, model: &Claims) -> bool {
        let People { required_approvals: Some(required_approvals), may_move: false, releases: false, .. } =
            model.people
        else {
            return true;
        };
        let recorded_runs = self.all().get(runs_in);
        let lasts = |run: &usize| recorded_runs.contains(&run_id(*run)) && !self.cancelled_runs.contains(run);
        let mut lasting = self.talk.heads.iter().filter(|(run, _)| lasts(run));
        lasting.all(|(run, moves)| {
            let target = name(self.runs[*run].into());
            self.all().get(|log| approvers(log, &target, &sha(*moves))) >= required_approvals as usize
        })
    }

    /// Whether the targets that need this one may be started.
    fn is_over(&self, target: usize, model: &Claims) -> bool {
        let is_skipped = self.all().get(|log| words_of(log).skips(&name(target)));
        let is_cancelled = |run: usize| self.cancelled_runs.contains(&run);
        let of_target = || (0..self.runs.len()).filter(|run| usize::from(self.runs[*run]) == target);
        let last = of_target().next_back().filter(|_| of_target().count() > model.failed_runs);
        is_skipped || model.people.releases && last.is_some_and(|run| !is_cancelled(run))
    }
}

/// Whether a record says that the command counts.
fn counts(log: &Log, command: usize) -> bool {
    log.decisions().any(|(_, of)| of.comment == comment_of(command) && of.outcome == Outcome::Accepted)
}

impl Job {
    /// The target that it starts next, if it does.
    fn starts_next(&self) -> Option<TargetName> {
        match self.steps.first() {
            Some(Step::Apply(Effect::StartWorkflow(next))) => Some(next.target),
            _ => None,
        }
    }

    /// The veto in its log against its next start.
    fn goes_against(&self, people: &People) -> Option<Veto> {
        let target = self.starts_next()?;
        let commit = self.commits.get(&number_of(&target)).copied();
        self.reader.log.get(|log| veto(log, people, &target, commit))
    }
}
