//! Model B: hub jobs dispatch the same targets at the same time.
//!
//! The product's own [`next`] drives each job: the model performs one step at a time, in every order in which the steps
//! of several jobs can happen, and gives GitHub's answers. Between any two steps a job may die, be cancelled, be re-run,
//! be refused, lose an answer, or lose its patience. The model leaves out the text of the board, since no job reads
//! state from it.
//!
//! Lists may lag: the store keeps the log of all commits, and each list shows a freely chosen prefix of it. Such
//! a list has one page, and begins with the first comment. Time passes for a job only while it waits for a list.
//! A list of comments without the job's claim changes nothing, and of several looks for a run that find nothing
//! only the first and the last are steps of the model.
//!
//! People may give commands at the same time: `commands`. The second target may take a value of the first one: `flow`.

mod commands;
mod flow;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use release_ticket_action::engine::step::{Candidate, Search, Sighting, TargetRun};
use release_ticket_action::engine::wording::Wording;
use release_ticket_action::engine::{
    Answer, Claim, Facts, Failure, Patience, Pause, ReadyTarget, Request, Retry, Step, TicketState,
};
use release_ticket_action::names::{IssueNumber, IssueRef, RunId, TargetName};
use release_ticket_action::place::Place;
use release_ticket_action::plan::{Creation, Effect, EffectOutcome};
use release_ticket_action::targets::{StartBy, Target};
use release_ticket_action::template::{HubValues, RunValues, Values};
use release_ticket_action::ticket::claim::Liveness;
use release_ticket_action::ticket::{
    Comment, Dispatch, FollowedRun, Log, Outputs, PingEvents, Reason, Record, Start, StartState, Watch, Word,
    Writer,
};
use serde_json::Map;
use stateright::{Model, Property};

use crate::facts::{FactsId, RequestId, Steps};
use crate::library::{ACCOUNT, Id, LogId, Text};
use crate::store::{Lag, Pages, Reader, Store};
use commands::Talk;
pub(crate) use commands::{HEARD, People, PersonCommand};
pub(crate) use flow::{CONFIRMED, Flow, PUBLISHED, WRONG};

/// A deliberate difference from the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimFault {
    /// No difference.
    AsItIs,
    /// No job sees the claims of others.
    AnyClaimWins,
    /// After its claim a job goes on with the log from before the claim.
    WithoutReadingAgain,
    /// A look for a run finds none.
    WithoutLook,
    /// A list counts although it lacks the job's own claim.
    WithoutBarrier,
    /// The first look for a run is the last one.
    OneLook,
    /// A verification does not say which values it has confirmed.
    WithoutConfirmedValues,
}

/// The lag of lists of runs behind the starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunsLag {
    /// Every list shows all.
    Fresh,
    /// A list shows any earlier state, but the last look of a search finds what is there.
    UntilTheLastLook,
    /// A list shows any earlier state, however long the job looks.
    WithoutBound,
}

/// The moment at which a new comment gets its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// With the commit: ids grow in the order in which lists show them.
    InCommitOrder,
    /// Before the commit: a comment with a higher id may be listed first.
    BeforeCommit,
}

/// The property of the starts of a target that a model checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// It is started once.
    NotTwice,
    /// No job starts it that has read that it is started.
    NotKnowingly,
    /// At the end of all jobs one of its runs lasts; the others are cancelled.
    OneLasts,
    /// One of its runs lasts after one more job, which finds all its targets started.
    OneLastsAfterALook,
    /// One of its runs lasts after one more job, which starts a further target.
    OneLastsAfterAStart,
}

/// Some hub jobs that dispatch the same targets.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    pub(crate) jobs: usize,
    pub(crate) targets: usize,
    /// The number of runs of each target that fail. If there are any, the first one was started before the model begins.
    pub(crate) failed_runs: usize,
    pub(crate) pages: Pages,
    /// So many jobs may die, at any point.
    pub(crate) deaths: u8,
    /// Whether some of them are cancelled instead, and wind up.
    pub(crate) may_cancel: bool,
    /// So many times a job that has ended may be re-run.
    pub(crate) reruns: u8,
    /// So many starts may be refused.
    pub(crate) refusals: u8,
    /// So many answers to starts may be lost.
    pub(crate) losses: u8,
    /// So many answers to requests for a reference may be lost, whether it was created or not.
    pub(crate) ref_losses: u8,
    /// So many reads of the ticket may get no answer.
    pub(crate) silences: u8,
    /// Whether a job's patience may come to an end while it waits for another one.
    pub(crate) may_yield: bool,
    pub(crate) lag: Lag,
    /// Whether every lag of a list of comments ends before a job's wait for another job.
    pub(crate) lag_ends: bool,
    pub(crate) runs_lag: RunsLag,
    pub(crate) ids: Ids,
    /// Whether jobs claim by references.
    pub(crate) by_ref: bool,
    /// So many times a job may wait in vain for a list that shows its claim or its board.
    pub(crate) give_ups: u8,
    pub(crate) goal: Goal,
    pub(crate) fault: ClaimFault,
    /// The commands of people.
    pub(crate) people: People,
    /// The values that the second target takes.
    pub(crate) flow: Flow,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    store: Store,
    jobs: Vec<Job>,
    /// The runs that were started, by target.
    runs: Vec<u8>,
    /// The runs that were cancelled.
    cancelled_runs: BTreeSet<usize>,
    /// The references that claim targets.
    refs: BTreeSet<String>,
    /// The comments of dead jobs that have an id and are not committed yet.
    in_flight: Vec<(Id, Text)>,
    deaths: u8,
    reruns: u8,
    refusals: u8,
    losses: u8,
    ref_losses: u8,
    silences: u8,
    give_ups: u8,
    talk: Talk,
    flow: flow::Progress,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Job {
    attempt: u32,
    phase: Phase,
    reader: Reader,
    facts: FactsId,
    /// The planned steps that it has not performed yet.
    steps: Steps,
    is_cancelled: bool,
    /// The hours that it has waited for another job or for runs.
    hours: u8,
    /// The number of commits that no list lacks, because they are old.
    old_commits: usize,
    /// Whether one of its reads got no answer.
    has_failed: bool,
    /// The seconds that it has waited for a list of runs or comments.
    clock: i64,
    /// The number of commits after its own last one.
    floor: usize,
    /// Whether no list has shown its last write yet.
    is_unlisted: bool,
    /// The id of its new comment that is not committed yet.
    reserved_id: Option<Id>,
    /// Whether all its lists show all.
    is_fresh: bool,
    /// The commits of the targets' refs that it has read since its last pause, by target.
    commits: BTreeMap<u8, u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    AtWork,
    /// It has no step left.
    Ended,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The job performs its next step, which is not to read.
    Step(usize),
    /// The job reads a page.
    Page(usize, u8),
    /// The job reads the list as it was after so many commits.
    List(usize, usize),
    /// The job gives up before a list shows its claim or its board.
    GiveUp(usize),
    /// The job looks for a run in a list that shows so many starts.
    LateLook(usize, usize),
    /// The comment of a dead job is committed.
    Land(usize),
    /// The job's read gets no answer.
    Silence(usize),
    /// The job is cancelled, and winds up before it ends.
    Cancel(usize),
    /// The job's next step starts a target, and is refused.
    Refuse(usize),
    /// The job's next step starts a target, and the answer is lost.
    Lose(usize),
    /// The job asks for a reference, which is created or not, and the answer is lost.
    LoseRef(usize, bool),
    /// The job dies; its last request was answered, or its next one was not sent.
    Die(usize),
    /// A job that has ended or died is re-run.
    Rerun(usize),
    /// The job waits no longer.
    LosePatience(usize),
    /// A command's record appears; the job that wrote it has ended.
    Say(usize),
    /// The refs of all targets move.
    Move,
    /// The first target reports.
    Report,
    /// The job asks for a release that GitHub does not show yet.
    ReleaseLate(usize),
    /// GitHub does not answer the job that asks for a release.
    NoAnswer(usize),
}

pub(crate) const NOT_TWICE: &str = "no target is started twice, or twice after the same failure";
pub(crate) const STARTED: &str = "at the end, if no job died or was refused, every target is started";
pub(crate) const STARTED_BY_LAST: &str =
    "after a job that ended without yielding or a refusal, every target is started";
pub(crate) const NOT_BLOCKED: &str = "a job that is left alone gets to the end, with every target started";
pub(crate) const RECORDED: &str = "a start is recorded when its job ends in order";
pub(crate) const NOT_KNOWINGLY: &str = "no job starts what it has read to be started";
pub(crate) const ONE_LASTS: &str = "at most one start of a target lasts, or one after each failure";

impl Model for Claims {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut store = if self.lag == Lag::Fresh { Store::default() } else { Store::with_history() };
        let mut runs = Vec::new();
        if self.failed_runs > 0 {
            runs.extend(0..u8::try_from(self.targets).expect("few targets"));
            store.create(failure_record(self.targets));
        }
        let jobs = (0..self.jobs).map(|number| self.job(number, 1)).collect();
        vec![State {
            refs: BTreeSet::new(),
            store,
            jobs,
            runs,
            cancelled_runs: BTreeSet::new(),
            in_flight: Vec::new(),
            deaths: 0,
            reruns: 0,
            refusals: 0,
            losses: 0,
            ref_losses: 0,
            silences: 0,
            give_ups: 0,
            talk: Talk::default(),
            flow: flow::Progress::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, job) in state.jobs.iter().enumerate() {
            if job.phase != Phase::AtWork {
                actions.extend((state.reruns < self.reruns).then_some(Action::Rerun(number)));
                continue;
            }
            let step = job.next_step();
            match step {
                Step::ReadLog | Step::ReadLogBeforeRefusal | Step::Apply(Effect::UpdateBoard { .. })
                    if self.lag != Lag::Fresh =>
                {
                    let lengths = job.shortest_list(&step, self)..=state.store.length();
                    actions.extend(lengths.map(|length| Action::List(number, length)));
                    let may_give_up = job.is_unlisted && state.give_ups < self.give_ups;
                    actions.extend(may_give_up.then_some(Action::GiveUp(number)));
                }
                Step::ReadLog | Step::ReadLogBeforeRefusal | Step::Apply(Effect::UpdateBoard { .. }) => {
                    let pages = job.reader.next_pages(self.pages);
                    actions.extend(pages.into_iter().map(|page| Action::Page(number, page)));
                    actions.extend((state.silences < self.silences).then_some(Action::Silence(number)));
                }
                _ => actions.push(Action::Step(number)),
            }
            if matches!(step, Step::FindRun(_)) && self.runs_lag != RunsLag::Fresh {
                actions.extend((0..state.runs.len()).map(|starts| Action::LateLook(number, starts)));
            }
            let may_die = state.deaths < self.deaths && !job.is_cancelled && job.reserved_id.is_none();
            actions.extend((may_die && self.may_cancel).then_some(Action::Cancel(number)));
            actions.extend((state.deaths < self.deaths).then_some(Action::Die(number)));
            if matches!(step, Step::Apply(Effect::StartWorkflow(_))) {
                actions.extend((state.refusals < self.refusals).then_some(Action::Refuse(number)));
                actions.extend((state.losses < self.losses).then_some(Action::Lose(number)));
            }
            if matches!(step, Step::Apply(Effect::CreateRef(_))) && state.ref_losses < self.ref_losses {
                actions.extend([false, true].map(|is_created| Action::LoseRef(number, is_created)));
            }
            let waits = matches!(step, Step::Pause { reason: Pause::OtherJobs(_) | Pause::Runs(_), .. });
            actions.extend((waits && self.may_yield).then_some(Action::LosePatience(number)));
        }
        actions.extend((0..state.in_flight.len()).map(Action::Land));
        self.talk_actions(state, actions);
        self.flow_actions(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Step(number) => next.perform(number, Fate::Good, self),
            Action::Page(number, page) => next.read_page(number, page, self),
            Action::List(number, length) => {
                if !next.read_list(number, length, self) {
                    return None;
                }
            }
            Action::GiveUp(number) => {
                next.give_ups += 1;
                if !next.give_up(number, self) {
                    return None;
                }
            }
            Action::LateLook(number, starts) => {
                if !next.look_late(number, starts, self) {
                    return None;
                }
            }
            Action::Land(index) => {
                let (id, text) = next.in_flight.remove(index);
                next.store.create_as(id, text);
            }
            Action::Silence(number) => {
                next.silences += 1;
                let failure =
                    Failure { what: "?".into(), help: None, is_final: false, is_without_effect: true };
                next.jobs[number].has_failed = true;
                next.learn(number, &Step::ReadLog, Answer::Failed(failure), self);
            }
            Action::Cancel(number) => {
                next.deaths += 1;
                next.jobs[number].cancel();
                next.plan(number, self);
            }
            Action::Refuse(number) => {
                next.refusals += 1;
                next.perform(number, Fate::Refused, self);
            }
            Action::Lose(number) => {
                next.losses += 1;
                next.perform(number, Fate::Lost, self);
            }
            Action::LoseRef(number, is_created) => {
                next.ref_losses += 1;
                next.lose_ref(number, is_created, self);
            }
            Action::Die(number) => {
                next.deaths += 1;
                let job = &next.jobs[number];
                if let (Some(id), Some(text)) = (job.reserved_id, job.next_text()) {
                    next.in_flight.push((id, text));
                }
                next.jobs[number].end(Phase::Dead);
            }
            Action::Rerun(number) => {
                next.reruns += 1;
                next.jobs[number] = self.job(number, next.jobs[number].attempt + 1);
            }
            Action::LosePatience(number) => {
                let old_commits = if self.lag_ends { next.store.length() } else { 0 };
                next.jobs[number].lose_patience(old_commits);
                next.perform(number, Fate::Good, self);
            }
            Action::Say(command) => next.say(command, self),
            Action::Move => next.talk.moves += 1,
            Action::Report => next.report(self),
            Action::ReleaseLate(number) => next.release_is_late(number, self),
            Action::NoAnswer(number) => next.release_is_silent(number, self),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if self.people.speak() {
            return commands::properties();
        }
        if self.flow.is_on() {
            return flow::properties();
        }
        let goal = match self.goal {
            Goal::NotTwice => Property::always(NOT_TWICE, |model: &Self, state: &State| {
                (0..model.targets).all(|target| state.runs_of(target) <= 1 + model.failed_runs)
            }),
            Goal::NotKnowingly => Property::always(NOT_KNOWINGLY, |_, state: &State| {
                state.jobs.iter().all(Job::starts_what_is_free)
            }),
            Goal::OneLasts | Goal::OneLastsAfterALook | Goal::OneLastsAfterAStart => {
                Property::always(ONE_LASTS, |model: &Self, state: &State| {
                    let has_ended = state.jobs.iter().all(|job| job.phase != Phase::AtWork);
                    !has_ended || state.one_lasts(model)
                })
            }
        };
        vec![
            goal,
            Property::always(STARTED, |model: &Self, state: &State| {
                let has_ended = state.jobs.iter().all(|job| job.phase != Phase::AtWork);
                !has_ended
                    || state.deaths + state.refusals + state.losses + state.silences + state.give_ups > 0
                    || state.ref_losses > 0
                    || model.all_started(state)
            }),
            Property::always(STARTED_BY_LAST, |model: &Self, state: &State| {
                let ended_jobs = (0..state.jobs.len()).filter(|job| state.ended_well(*job));
                ended_jobs.into_iter().all(|job| state.gave_up(job) || model.all_started(state))
            }),
            Property::always(RECORDED, |_, state: &State| state.starts_are_recorded()),
            Property::always(NOT_BLOCKED, |model: &Self, state: &State| {
                let mut jobs_at_work =
                    (0..state.jobs.len()).filter(|job| state.jobs[*job].phase == Phase::AtWork);
                let (Some(number), None) = (jobs_at_work.next(), jobs_at_work.next()) else { return true };
                let alone = state.left_alone(number, model);
                alone.jobs[number].is_cancelled
                    || alone.ended_well(number) && (alone.gave_up(number) || model.all_started(&alone))
            }),
        ]
    }
}

/// The fate of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Refused,
    Lost,
}

impl Claims {
    /// A job that begins.
    fn job(&self, number: usize, attempt: u32) -> Job {
        let ticket = TicketState::Open { issue: ticket(), url: String::new(), is_new: None, opened_at: None };
        let mut job = Job {
            attempt,
            phase: Phase::AtWork,
            reader: Reader::new(),
            facts: FactsId::of(Facts::new(ticket, Vec::new())),
            steps: Steps::none(),
            is_cancelled: false,
            hours: 0,
            old_commits: 0,
            has_failed: false,
            clock: 0,
            floor: 0,
            is_unlisted: false,
            reserved_id: None,
            is_fresh: false,
            commits: BTreeMap::new(),
        };
        job.plan(self.request(number, &job), self, number);
        job
    }

    fn request(&self, number: usize, job: &Job) -> RequestId {
        let retries = self.failed_runs > 0 && !self.people.speak();
        let retry = if retries { Retry::Failed } else { Retry::Nothing };
        let is_later = number >= self.jobs && self.goal == Goal::OneLastsAfterAStart;
        let count = self.targets + usize::from(is_later);
        let key =
            (number, job.attempt, job.is_cancelled, count, retry, self.by_ref, &self.people, &self.flow);
        RequestId::of(key, || {
            let by = writer(number, job.attempt);
            let targets: Vec<ReadyTarget> = (0..count).map(|target| ready(target, self)).collect();
            Request {
                run_url: format!("hub/{}", by.run),
                by,
                driver: None,
                is_new_driver: false,
                release: None,
                form: None,
                inputs: None,
                rules: Some(self.people.rules()),
                command: self.people.command_of(number, self.jobs),
                obstacles: Vec::new(),
                target_names: targets.iter().map(|ready| ready.target.name.clone()).collect(),
                targets,
                retry,
                follow: self.follow(number),
                cancel_runs: false,
                close: false,
                writes_release_record: self.follow(number).is_some() && !self.flow.is_on(),
                publication: None,
                workflow_url: None,
                pings: PingEvents::new(),
                claim: if self.by_ref { Claim::Ref { sha: String::new() } } else { Claim::Comment },
                max_parallel: 8,
                patience: Patience::default(),
                wording: wording(),
                wind_up: job.is_cancelled,
            }
        })
    }

    /// Whether every target was started; again, if its first run failed.
    fn all_started(&self, state: &State) -> bool {
        let least = if self.failed_runs > 0 { 2 } else { 1 };
        (0..self.targets).all(|target| state.lasting(target) >= least)
    }

    /// The log by which a job decides: the one that it has read, without the parts that the fault hides.
    fn view_of(&self, number: usize, log: LogId) -> LogId {
        let key = (self.fault as usize, number);
        match self.fault {
            ClaimFault::AnyClaimWins => log.view(key, |log| Self::without_claims_of_others(number, log)),
            ClaimFault::WithoutConfirmedValues => log.view(key, flow::without_confirmed_values),
            _ => log,
        }
    }

    fn without_claims_of_others(number: usize, log: &Log) -> Log {
        let run = writer(number, 1).run;
        let is_others = |record: &Record| {
            let Record::Dispatch(dispatch) = record else { return false };
            let is_claimed = |start: &Start| start.state == StartState::Claimed;
            dispatch.by.run != run && dispatch.targets.iter().any(is_claimed)
        };
        let mut own_view = Log::default();
        let comments = log.records().filter(|(_, record)| !is_others(record));
        own_view.extend(comments.map(|(comment, _)| comment.clone()));
        own_view
    }
}

impl State {
    fn runs_of(&self, target: usize) -> usize {
        self.runs.iter().filter(|of| usize::from(**of) == target).count()
    }

    /// The number of the target's runs that were not cancelled.
    fn lasting(&self, target: usize) -> usize {
        let cancelled_runs = self.cancelled_runs.iter().filter(|run| usize::from(self.runs[**run]) == target);
        self.runs_of(target) - cancelled_runs.count()
    }

    /// Whether at most one run of each target lasts, after the later job if the goal asks for one.
    fn one_lasts(&self, model: &Claims) -> bool {
        let later = match model.goal {
            Goal::OneLastsAfterALook | Goal::OneLastsAfterAStart => {
                let mut later = self.clone();
                later.jobs.push(model.job(model.jobs, 1));
                later.left_alone(model.jobs, model)
            }
            _ => self.clone(),
        };
        (0..model.targets).all(|target| later.lasting(target) <= 1 + model.failed_runs)
    }

    /// The state after this job has gone on alone, with fresh lists.
    fn left_alone(&self, number: usize, model: &Claims) -> Self {
        let mut alone = self.clone();
        alone.jobs[number].is_fresh = true;
        for _ in 0..200 {
            let job = &alone.jobs[number];
            if job.phase != Phase::AtWork {
                break;
            }
            match job.next_step() {
                Step::ReadLog | Step::ReadLogBeforeRefusal | Step::Apply(Effect::UpdateBoard { .. })
                    if model.lag != Lag::Fresh =>
                {
                    let all = alone.store.length();
                    assert!(
                        alone.read_list(number, all, model),
                        "a list of all comments shows the job's own"
                    );
                }
                Step::ReadLog | Step::ReadLogBeforeRefusal | Step::Apply(Effect::UpdateBoard { .. }) => {
                    let page = job.reader.next_pages(model.pages)[0];
                    alone.read_page(number, page, model);
                }
                // No other job does anything.
                Step::Pause { .. } => {
                    alone.jobs[number].hours += 1;
                    alone.perform(number, Fate::Good, model);
                }
                _ => alone.perform(number, Fate::Good, model),
            }
        }
        alone
    }

    /// Whether all starts are recorded, if every job has ended in order.
    fn starts_are_recorded(&self) -> bool {
        let all_ended_well = (0..self.jobs.len())
            .all(|job| self.ended_well(job) && self.jobs[job].attempt == 1 && !self.gave_up(job));
        let recorded_runs = || -> BTreeSet<RunId> { LogId::whole(self.store.comments()).get(runs_in) };
        !all_ended_well || (0..self.runs.len()).all(|run| recorded_runs().contains(&run_id(run)))
    }

    fn ended_well(&self, number: usize) -> bool {
        self.jobs[number].phase == Phase::Ended && !self.jobs[number].is_cancelled
    }

    /// Whether the job left a target to another job, was refused, does not know the result of a start, or got no answer
    /// to a read.
    fn gave_up(&self, number: usize) -> bool {
        if self.jobs[number].has_failed {
            return true;
        }
        let me = writer(number, self.jobs[number].attempt);
        LogId::whole(self.store.comments()).get(|log| {
            let own = log.dispatches().filter(|(_, dispatch)| dispatch.by == me);
            let mut starts = own.flat_map(|(_, dispatch)| &dispatch.targets);
            starts.any(|start| {
                let reason = start.reason.as_ref().and_then(Word::as_known);
                let is_left = matches!(reason, Some(Reason::Claimed { .. } | Reason::Locked { .. }));
                is_left || start.state == StartState::Refused || start.state == StartState::Unknown
            })
        })
    }

    /// Performs the job's next step, which is not to read.
    fn perform(&mut self, number: usize, fate: Fate, model: &Claims) {
        let step = self.jobs[number].next_step();
        let is_new = matches!(step, Step::Apply(Effect::WriteRecord { comment: None, .. }));
        if is_new && model.ids == Ids::BeforeCommit && self.jobs[number].reserved_id.is_none() {
            self.jobs[number].reserved_id = Some(self.store.reserve_id());
            return;
        }
        let mut new_comment = None;
        let answer = match &step {
            Step::AskHubRun(job) => Answer::HubRun(self.liveness(job)),
            Step::AskIdentity => Answer::Identity(Some(ACCOUNT.to_owned())),
            Step::LookAtRun(of) => {
                let run = self.look_at(of, model);
                Answer::Run(Box::new(Sighting {
                    run,
                    workflow: None,
                    created_at: DateTime::UNIX_EPOCH,
                    // So long ago that a list which shows all also shows the reports of the run.
                    changed_at: DateTime::UNIX_EPOCH - TimeDelta::hours(1),
                    title: String::new(),
                    actor: None,
                    event: None,
                    head_sha: self.talk.head_of(index_of(of.run)),
                }))
            }
            Step::FindRun(search) => Answer::Runs(self.candidates(search, self.runs.len(), model)),
            Step::LookAtCommit(of) => {
                self.jobs[number].commits.insert(number_of(&of.target), self.talk.moves);
                Answer::Commit(commands::sha(self.talk.moves))
            }
            Step::Apply(Effect::React { comment, reaction, .. }) => {
                self.talk.react(*comment, *reaction);
                Answer::Applied(EffectOutcome::Done)
            }
            Step::Apply(Effect::CancelRun { run, .. }) => {
                self.cancelled_runs.insert(index_of(*run));
                Answer::Applied(EffectOutcome::Done)
            }
            Step::Apply(Effect::WriteRecord { comment, record, .. }) => {
                let text = Text::of(&record.render());
                let id = match comment {
                    None => {
                        let id =
                            self.jobs[number].reserved_id.take().unwrap_or_else(|| self.store.reserve_id());
                        self.store.create_as(id, text);
                        id
                    }
                    Some(id) => {
                        let id = Id::try_from(id.0).expect("a model creates few comments");
                        assert!(self.store.edit(id, text), "no job deletes claims");
                        id
                    }
                };
                let job = &mut self.jobs[number];
                job.reader.log = job.reader.log.with_comment(id, text);
                job.note_write(self.store.length(), model);
                new_comment = Some(id);
                Answer::Applied(EffectOutcome::Written(comment_of(id, &text.get())))
            }
            Step::Apply(Effect::CreateRef(new)) => {
                let is_new = self.refs.insert(new.name.clone());
                Answer::Applied(EffectOutcome::Ref(if is_new { Creation::New } else { Creation::Exists }))
            }
            Step::Apply(Effect::StartWorkflow(start)) => {
                let answer = self.start(&start.target, fate);
                if model.flow.is_on() && fate != Fate::Refused {
                    self.follow_start(start, model);
                }
                answer
            }
            Step::Verify(inspection) => self.verify(inspection),
            Step::Pause { reason: Pause::OtherJobs(_) | Pause::Runs(_), .. } => {
                self.jobs[number].commits.clear();
                Answer::Done
            }
            step => panic!("no job of this model takes the step {step:?}"),
        };
        for job in self.jobs.iter_mut().filter(|job| job.phase == Phase::AtWork) {
            if model.lag == Lag::Fresh {
                new_comment.into_iter().for_each(|id| job.reader.notice(id));
            }
        }
        self.learn(number, &step, answer, model);
    }

    /// Reads the list as it was after so many commits; returns whether that changes anything except the time.
    fn read_list(&mut self, number: usize, length: usize, model: &Claims) -> bool {
        let comments = self.store.as_of(length);
        let job = &mut self.jobs[number];
        let step = job.next_step();
        job.reader.log =
            comments.into_iter().fold(job.reader.log, |log, (id, (text, _))| log.with_comment(id, text));
        if length >= job.floor {
            job.is_unlisted = false;
        }
        let is_stale = job.is_unlisted && model.fault != ClaimFault::WithoutBarrier;
        let answer = match step {
            Step::ReadLog if is_stale => Answer::Stale,
            Step::ReadLog | Step::ReadLogBeforeRefusal => Answer::Done,
            _ => Answer::Applied(EffectOutcome::Board(None)),
        };
        self.learn(number, &step, answer, model);
        let job = &self.jobs[number];
        // After a list that does not count, the job reads again.
        !(is_stale && job.phase == Phase::AtWork && job.next_step() == Step::ReadLog)
    }

    /// The job gives up before a list shows its own write; returns whether it waited for one.
    fn give_up(&mut self, number: usize, model: &Claims) -> bool {
        let step = self.jobs[number].next_step();
        if step != Step::ReadLog {
            self.learn(number, &step, Answer::Applied(EffectOutcome::Board(None)), model);
            return true;
        }
        self.jobs[number].has_failed = true;
        for seconds in [0, 61] {
            self.jobs[number].clock = seconds;
            self.learn(number, &step, Answer::Stale, model);
        }
        self.jobs[number].phase == Phase::Ended
    }

    /// Looks for a run in a list that shows only the first starts; returns whether GitHub may give this answer.
    fn look_late(&mut self, number: usize, starts: usize, model: &Claims) -> bool {
        let step = self.jobs[number].next_step();
        let Step::FindRun(search) = &step else { return false };
        let candidates = self.candidates(search, starts, model);
        let finds_nothing = candidates.iter().all(|run| search.other_runs.contains(&run.run));
        self.learn(number, &step, Answer::Runs(candidates), model);
        let job = &self.jobs[number];
        let may_miss = job.looks_again_for(&search.target, number, model)
            || job.is_cancelled
            || model.runs_lag == RunsLag::WithoutBound
            || model.fault == ClaimFault::OneLook;
        !finds_nothing || may_miss
    }

    fn start(&mut self, target: &TargetName, fate: Fate) -> Answer {
        let failure = |is_without_effect| {
            Answer::Failed(Failure { what: "no".into(), help: None, is_final: true, is_without_effect })
        };
        if fate == Fate::Refused {
            return failure(true);
        }
        self.runs.push(number_of(target));
        self.talk.begin(self.runs.len() - 1);
        let run = run_id(self.runs.len() - 1);
        match fate {
            Fate::Lost => failure(false),
            _ => Answer::Applied(EffectOutcome::Started(Some((run, String::new())))),
        }
    }

    /// Asks for a reference, and gets no answer.
    fn lose_ref(&mut self, number: usize, is_created: bool, model: &Claims) {
        let step = self.jobs[number].next_step();
        if let (Step::Apply(Effect::CreateRef(new)), true) = (&step, is_created) {
            self.refs.insert(new.name.clone());
        }
        let failure = Failure { what: "?".into(), help: None, is_final: false, is_without_effect: false };
        self.learn(number, &step, Answer::Failed(failure), model);
    }

    /// Reads a page; the job learns from the list after its last page.
    fn read_page(&mut self, number: usize, page: u8, model: &Claims) {
        let mut job = self.jobs[number].clone();
        let step = job.next_step();
        if model.fault == ClaimFault::WithoutReadingAgain && step == Step::ReadLog && job.has_claimed(number)
        {
            self.learn(number, &step, Answer::Done, model);
            return;
        }
        let is_read = job.reader.read_page(page, &self.store, model.pages);
        self.jobs[number] = job;
        if is_read {
            let answer = match step {
                Step::Apply(_) => Answer::Applied(EffectOutcome::Board(None)),
                _ => Answer::Done,
            };
            self.learn(number, &step, answer, model);
        }
    }

    fn learn(&mut self, number: usize, step: &Step, answer: Answer, model: &Claims) {
        let finds_nothing = match (step, &answer) {
            (Step::FindRun(search), Answer::Runs(runs)) => {
                runs.iter().all(|run| search.other_runs.contains(&run.run))
            }
            _ => false,
        };
        let job = &mut self.jobs[number];
        job.learn(number, step, answer, model);
        if finds_nothing {
            job.pass_looks(number, model);
        }
    }

    fn plan(&mut self, number: usize, model: &Claims) {
        let request = model.request(number, &self.jobs[number]);
        self.jobs[number].plan(request, model, number);
    }

    /// GitHub's answer whether another hub job is at work.
    fn liveness(&self, other: &Writer) -> Liveness {
        let number = usize::try_from(other.run.0 - HUB_RUN).expect("a hub run");
        let job = &self.jobs[number];
        let has_ended = job.attempt > other.attempt || job.phase != Phase::AtWork;
        if has_ended { Liveness::Ended } else { Liveness::Alive }
    }

    fn look_at(&self, of: &TargetRun, model: &Claims) -> FollowedRun {
        let target = number_of(&of.target);
        let of_target = (0..self.runs.len()).filter(|index| self.runs[*index] == target);
        let has_failed = of_target.take(model.failed_runs).any(|index| run_id(index) == of.run);
        let conclusion = match has_failed {
            _ if self.cancelled_runs.contains(&index_of(of.run)) => Some("cancelled"),
            true => Some("failure"),
            false => model.people.releases.then_some("success"),
        };
        followed_run(&of.target, of.run, conclusion)
    }

    /// The runs among the first starts that a search may find.
    fn candidates(&self, search: &Search, starts: usize, model: &Claims) -> Vec<Candidate> {
        if model.fault == ClaimFault::WithoutLook {
            return Vec::new();
        }
        let target = number_of(&search.target);
        let runs = (0..starts).filter(|run| self.runs[*run] == target);
        runs.map(|run| Candidate {
            run: run_id(run),
            url: String::new(),
            title: String::new(),
            actor: None,
            created_at: DateTime::UNIX_EPOCH,
        })
        .collect()
    }
}

impl Job {
    fn next_step(&self) -> Step {
        self.steps.first().expect("a job that has no step left has ended")
    }

    /// Whether the job has a record of its own.
    fn has_claimed(&self, number: usize) -> bool {
        let me = writer(number, self.attempt);
        self.reader.log.get(|log| log.dispatches().any(|(_, dispatch)| dispatch.by == me))
    }

    fn learn(&mut self, number: usize, step: &Step, answer: Answer, model: &Claims) {
        let request = model.request(number, self);
        self.facts = self.facts.learn(step, answer, request, self.reader.log, self.now());
        self.steps = self.steps.rest();
        self.plan(request, model, number);
    }

    /// Lets all looks except the last one find nothing: the last look finds all that they could find.
    fn pass_looks(&mut self, number: usize, model: &Claims) {
        while self.phase == Phase::AtWork && self.steps.get(|steps| matches!(steps, [Step::FindRun(_)])) {
            let (step, mut later) = (self.next_step(), self.clone());
            let Step::FindRun(search) = &step else { return };
            later.learn(number, &step, Answer::Runs(Vec::new()), model);
            if model.fault != ClaimFault::OneLook && !later.looks_again_for(&search.target, number, model) {
                return;
            }
            *self = later;
        }
    }

    /// Whether it looks again for a run of the target, if its earlier looks find nothing.
    fn looks_again_for(&self, target: &TargetName, number: usize, model: &Claims) -> bool {
        let mut later = self.clone();
        while later.phase == Phase::AtWork {
            let step = later.next_step();
            match &step {
                Step::FindRun(search) if search.target == *target => return true,
                Step::FindRun(_) => later.learn(number, &step, Answer::Runs(Vec::new()), model),
                _ => return false,
            }
        }
        false
    }

    /// Notes that its own write was committed.
    fn note_write(&mut self, length: usize, model: &Claims) {
        if model.lag != Lag::Fresh {
            self.floor = length;
            self.is_unlisted = model.lag != Lag::Overlay;
        }
    }

    /// The number of commits that every list shows: the record of the failed runs is old, and a job that writes the
    /// board reads until a list shows its own write.
    fn shortest_list(&self, step: &Step, model: &Claims) -> usize {
        let shows_own = match model.lag {
            Lag::Prefix { own_writes } => own_writes || *step != Step::ReadLog,
            Lag::Fresh | Lag::Overlay => false,
        };
        let old_commits = if model.failed_runs > 0 { 1 } else { 0 };
        let old_commits = self.old_commits.max(old_commits);
        if shows_own { self.floor.max(old_commits) } else { old_commits }
    }

    /// Whether the target that it starts next has no run in its log, or only failed runs. True if it starts none.
    fn starts_what_is_free(&self) -> bool {
        let Some(Step::Apply(Effect::StartWorkflow(next))) = self.steps.first() else { return true };
        self.reader.log.get(|log| {
            let starts = log.dispatches().flat_map(|(_, record)| &record.targets);
            let mut target_starts =
                starts.filter(|start| start.target == next.target && start.state == StartState::Started);
            let has_failed =
                log.ticket().targets.get(&next.target).is_some_and(|target| target.status.is_bad());
            has_failed || target_starts.next().is_none()
        })
    }

    /// The text of the comment that it writes next.
    fn next_text(&self) -> Option<Text> {
        match self.steps.first() {
            Some(Step::Apply(Effect::WriteRecord { record, .. })) => Some(Text::of(&record.render())),
            _ => None,
        }
    }

    /// The time, by which a job loses its patience, and waits for lists.
    fn now(&self) -> DateTime<Utc> {
        self.hour() + TimeDelta::seconds(self.clock)
    }

    /// The time without its waits for lists.
    fn hour(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(self.hours.into())
    }

    /// Time passes during a pause: once for another job, for runs until the job's own time-out.
    fn lose_patience(&mut self, old_commits: usize) {
        self.old_commits = old_commits;
        self.hours = match self.next_step() {
            Step::Pause { reason: Pause::Runs(_), .. } => 2.min(self.hours + 1),
            _ => self.hours.max(1),
        };
    }

    /// Plans again after the last step of a plan. Decisions and pauses for lists need no request, nor does the board if
    /// lists do not lag.
    fn plan(&mut self, request: RequestId, model: &Claims, number: usize) {
        loop {
            let now = self.now();
            let Some(step) = self.steps.first() else {
                let view = model.view_of(number, self.reader.log);
                let (facts, steps) = self.facts.next(request, view, now);
                // A verification depends on the time since its beginning.
                let may_reset = self.clock > 0 && !model.flow.is_on();
                if may_reset && !steps.get(|steps| steps.iter().any(waits_for_list)) {
                    self.clock = 0;
                    continue;
                }
                (self.facts, self.steps) = (facts, steps);
                if self.steps.first().is_none() {
                    self.end(Phase::Ended);
                    return;
                }
                continue;
            };
            let answer = match &step {
                Step::StartAgain(_) | Step::Refuse { .. } | Step::Apply(Effect::Skip { .. }) => Answer::Done,
                // The times in the record of the release change no decision.
                Step::FindPreviousRelease(_) => Answer::PreviousRelease(None),
                Step::Survey(_) => Answer::Survey(Box::default()),
                Step::Apply(Effect::UpdateBoard { .. })
                    if model.lag == Lag::Fresh && !model.people.speak() || self.is_beside_read() =>
                {
                    Answer::Applied(EffectOutcome::Board(None))
                }
                // The account of a job never changes.
                Step::AskIdentity if model.people.speak() => Answer::Identity(Some(ACCOUNT.to_owned())),
                Step::Pause {
                    until,
                    reason: Pause::Listing | Pause::Verification(_) | Pause::Outputs(_),
                } => {
                    self.clock = (*until - self.hour() + TimeDelta::milliseconds(999)).num_seconds();
                    Answer::Done
                }
                _ => return,
            };
            self.facts = self.facts.learn(&step, answer, request, self.reader.log, now);
            self.steps = self.steps.rest();
        }
    }

    /// Whether the next step runs at the same time as a read, and reads nothing itself.
    fn is_beside_read(&self) -> bool {
        self.steps.get(|steps| steps.first() == Some(&Step::ReadLog))
    }

    fn cancel(&mut self) {
        self.is_cancelled = true;
        self.steps = Steps::none();
        self.facts = self.facts.change("wind up", Facts::wind_up);
    }

    /// Ends the job, and forgets its facts, so that equal states are equal.
    fn end(&mut self, phase: Phase) {
        let ticket = TicketState::Open { issue: ticket(), url: String::new(), is_new: None, opened_at: None };
        let nothing = Facts::new(ticket, Vec::new());
        (self.phase, self.reader, self.facts, self.steps) =
            (phase, Reader::new(), FactsId::of(nothing), Steps::none());
        (self.clock, self.floor, self.is_unlisted, self.reserved_id) = (0, 0, false, None);
        (self.hours, self.old_commits) = (0, 0);
        self.commits = BTreeMap::new();
    }
}

const HUB_RUN: u64 = 100;

/// Whether the step waits for a list, or reads one after a wait.
fn waits_for_list(step: &Step) -> bool {
    matches!(
        step,
        Step::FindRun(_)
            | Step::ReadLog
            | Step::ReadLogBeforeRefusal
            | Step::Pause { reason: Pause::Listing, .. }
    )
}

fn ticket() -> IssueRef {
    IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(1) }
}

fn comment_of(id: Id, body: &str) -> Comment {
    crate::library::comment(id, body)
}

fn place() -> Place {
    Place { source: String::new(), line: 1, column: 1 }
}

fn ready(target: usize, model: &Claims) -> ReadyTarget {
    let target = Target {
        name: name(target),
        repository: "acme/web".parse().expect("a name"),
        start: StartBy::Workflow(format!("release-{target}.yml").into()),
        git_ref: None,
        inputs: model.flow.inputs_of(target),
        upstream: model.people.needs_of(target),
        stale_after: None,
        outputs_from_release: false,
        verify: model.flow.verify_of(target),
        needs: model.people.needs_of(target),
        place: place(),
    };
    ReadyTarget { target, git_ref: "main".into(), declaration: None, is_same_account: false }
}

fn wording() -> Wording {
    let hub = ticket().repository;
    Wording {
        server_url: String::new(),
        driver: None,
        labels: Vec::new(),
        title: None,
        body: None,
        values: Values {
            ticket: None,
            hub: HubValues::from(&hub),
            target: None,
            targets: Vec::new(),
            release: String::new(),
            driver: String::new(),
            run: RunValues { id: 1, attempt: 1, url: String::new() },
            inputs: Map::new(),
            input_help: None,
            form: Map::new(),
            event: Map::new(),
            outputs: None,
        },
        assumes_outputs: false,
        hub,
    }
}

/// The record of a hub job that started every target before; all of these runs have failed.
fn failure_record(targets: usize) -> Text {
    let start = |target: usize| Start {
        commit: None,
        outputs: Outputs::default(),
        verify: false,
        repeats: None,
        turn: None,
        target: name(target),
        repository: "acme/web".parse().expect("a name"),
        workflow: Some(format!("release-{target}.yml").into()),
        git_ref: Some("main".into()),
        needs: Vec::new(),
        state: StartState::Started.into(),
        run: Some(run_id(target)),
        run_url: None,
        reason: None,
        at: DateTime::UNIX_EPOCH,
        other: Map::new(),
    };
    let record = Dispatch {
        by: writer_of(RunId(90), 1),
        seq: 1,
        run_url: String::new(),
        driver: None,
        release: None,
        workflow_url: None,
        close: false,
        form: None,
        inputs: None,
        rules: None,
        left_out: Vec::new(),
        watch: Watch::default(),
        targets: (0..targets).map(start).collect(),
        followed_runs: (0..targets)
            .map(|target| followed_run(&name(target), run_id(target), Some("failure")))
            .collect(),
        verifications: Vec::new(),
        other: Map::new(),
    };
    Text::of(&Record::Dispatch(record).render())
}

fn followed_run(target: &TargetName, run: RunId, conclusion: Option<&str>) -> FollowedRun {
    FollowedRun {
        target: target.clone(),
        repository: "acme/web".parse().expect("a name"),
        run,
        attempt: 1,
        run_url: String::new(),
        status: if conclusion.is_some() { "completed" } else { "in_progress" }.to_owned(),
        conclusion: conclusion.map(str::to_owned),
        job: None,
        jobs: 0,
        ended_jobs: 0,
        reviews: Vec::new(),
        reports: 0,
        at: DateTime::UNIX_EPOCH,
        other: Map::new(),
    }
}

/// The runs that any claim records.
fn runs_in(log: &Log) -> BTreeSet<RunId> {
    let starts = log.dispatches().flat_map(|(_, record)| &record.targets);
    starts.filter_map(|start| start.run).collect()
}

fn run_id(run: usize) -> RunId {
    RunId(900 + run as u64)
}

fn index_of(run: RunId) -> usize {
    usize::try_from(run.0 - 900).expect("a run of the model")
}

fn name(target: usize) -> TargetName {
    format!("target-{target}").into()
}

fn number_of(target: &TargetName) -> u8 {
    let digits = target.as_str().rsplit('-').next();
    digits.and_then(|digits| digits.parse().ok()).expect("a target of the model")
}

fn writer(job: usize, attempt: u32) -> Writer {
    writer_of(RunId(HUB_RUN + job as u64), attempt)
}

fn writer_of(run: RunId, attempt: u32) -> Writer {
    Writer {
        repository: "acme/hub".parse().expect("a name"),
        run,
        attempt,
        job: "dispatch".to_owned(),
        check_run: None,
    }
}
