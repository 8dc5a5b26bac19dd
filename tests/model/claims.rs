//! Model B: hub jobs dispatch the same targets at the same time.
//!
//! The order of requests is that of `dispatch/work.rs` and `dispatch/start.rs`: read the ticket,
//! create a claim, read again, ask which of the others are still at work, then start what nobody
//! claimed before, record it in the claim, and wait for the others or yield. How a target stands is
//! decided by the product's [`claim::standing`]. The board is left out: nobody reads state from it.
//!
//! Where the targets' last runs have failed, the jobs start them again: which claims are history then
//! is decided by [`claim::start_of`], on what the job has read first.

use std::collections::BTreeSet;

use chrono::DateTime;
use release_ticket_action::names::{CommentId, RunId};
use release_ticket_action::ticket::claim::{self, Counting, Liveness, Standing};
use release_ticket_action::ticket::{Dispatch, Record, Start, StartState, Writer};
use serde_json::Map;
use stateright::{Model, Property};

use crate::library::{Id, LogId, Text, id_of};
use crate::store::{Pages, Reader, Store};

/// What is different on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    AsItIs,
    /// Whoever claims goes on, whoever claimed before.
    AnyClaimWins,
    /// Whoever claimed goes on by what was read before the claim.
    WithoutReadingAgain,
    /// Where nobody can tell whether a target was started, it is started without a look for its run.
    WithoutLook,
    /// To start a target again, its newest claim is taken for the one whose run failed.
    AfterAnyClaim,
}

/// Some hub jobs that dispatch the same targets.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    pub(crate) jobs: usize,
    pub(crate) targets: usize,
    /// So many runs of each target fail. If any does, the first one was started before.
    pub(crate) failed: usize,
    pub(crate) pages: Pages,
    /// So many jobs may die, at any point.
    pub(crate) deaths: u8,
    /// Whether some of them are cancelled instead, and say so.
    pub(crate) may_cancel: bool,
    /// So many times a job that is over may be run again.
    pub(crate) reruns: u8,
    /// So many starts may be refused.
    pub(crate) refusals: u8,
    /// Whether a job's patience may come to an end while it waits for another one.
    pub(crate) may_yield: bool,
    pub(crate) order: Order,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    store: Store,
    jobs: Vec<Job>,
    /// The runs that were started, by target.
    runs: Vec<u8>,
    deaths: u8,
    reruns: u8,
    refusals: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Job {
    at: At,
    attempt: u32,
    reader: Reader,
    claim: Option<Id>,
    /// The targets that it starts again, each with the claim that started its failed run.
    again: Vec<(u8, Id)>,
    /// What its claim says of each target that it wanted when it read first.
    starts: Vec<Wanted>,
    /// What it was told of the other jobs.
    told: Vec<(Writer, bool)>,
    has_yielded: bool,
    was_refused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Wanted {
    target: u8,
    state: StartState,
    run: Option<u8>,
}

/// What a job asks of GitHub next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum At {
    /// For a page of the list, before it claims anything.
    ReadFirst,
    Claim,
    /// For a page of the list, with the claim in it.
    Read,
    /// Whether other jobs are over, one by one.
    Ask(Vec<Writer>),
    /// To record that it leaves targets to others, before it starts any.
    Leave {
        already: Vec<u8>,
        todo: Vec<Todo>,
    },
    /// For a target's runs, or to start one.
    Start {
        todo: Vec<Todo>,
        outcomes: Vec<Wanted>,
    },
    /// To record what became of the starts.
    Record(Vec<Wanted>),
    /// For a page of the list, when it has waited for another job for a while.
    Wait,
    /// To record that it leaves all that it waited for.
    Yield,
    /// For a page of the list, as it was cancelled.
    WindUp,
    /// To record in its claim that it was cancelled.
    WriteCancelled(Id, Text),
    Over,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Todo {
    target: u8,
    look: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The job sends its next request, which is not for a page.
    Send(usize),
    /// The job reads a page.
    Page(usize, u8),
    /// The job is cancelled, and says so before it ends.
    Cancel(usize),
    /// The job's next request starts a target, and is refused.
    Refuse(usize),
    /// The job dies; its last request was answered, or its next one was not sent.
    Die(usize),
    /// A job that is over or dead is run again.
    Rerun(usize),
    /// The job waits no longer.
    LosePatience(usize),
}

pub(crate) const NOT_TWICE: &str = "no target is started twice, or twice after the same failure";
pub(crate) const STARTED: &str = "when all is over and nobody died or was refused, every target is started";
pub(crate) const STARTED_BY_LAST: &str =
    "whoever ends without yielding or a refusal leaves every target started";
pub(crate) const NOT_BLOCKED: &str = "whoever is left alone gets to the end, with every target started";
pub(crate) const RECORDED: &str = "a start is recorded when its job ends in order";

impl Model for Claims {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let jobs = vec![Job::new(1); self.jobs];
        let (mut store, mut runs) = (Store::default(), Vec::new());
        if self.failed > 0 {
            runs.extend(0..u8::try_from(self.targets).expect("few targets"));
            let started = |target| Wanted { target, state: StartState::Started, run: Some(target) };
            let starts: Vec<Wanted> = runs.iter().copied().map(started).collect();
            store.create(record(&writer_of(RunId(90), 1), 1, &starts));
        }
        vec![State { store, jobs, runs, deaths: 0, reruns: 0, refusals: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, job) in state.jobs.iter().enumerate() {
            if job.is_done() {
                actions.extend((state.reruns < self.reruns).then_some(Action::Rerun(number)));
                continue;
            }
            match job.pages(self) {
                Some(pages) => actions.extend(pages.into_iter().map(|page| Action::Page(number, page))),
                None => actions.push(Action::Send(number)),
            }
            let may_cancel = state.deaths < self.deaths && !job.is_cancelled();
            actions.extend((may_cancel && self.may_cancel).then_some(Action::Cancel(number)));
            let may_refuse = state.refusals < self.refusals && job.is_starting();
            actions.extend(may_refuse.then_some(Action::Refuse(number)));
            actions.extend((state.deaths < self.deaths).then_some(Action::Die(number)));
            let waits = job.at == At::Wait && self.may_yield;
            actions.extend(waits.then_some(Action::LosePatience(number)));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Send(number) => next.send(number, false, self),
            Action::Page(number, page) => next.read_page(number, page, self),
            Action::Cancel(number) => {
                next.deaths += 1;
                next.jobs[number] = Job { at: At::WindUp, ..Job::new(next.jobs[number].attempt) };
            }
            Action::Refuse(number) => {
                next.refusals += 1;
                next.send(number, true, self);
            }
            Action::Die(number) => {
                next.deaths += 1;
                next.jobs[number].end(At::Dead);
            }
            Action::Rerun(number) => {
                next.reruns += 1;
                next.jobs[number] = Job::new(next.jobs[number].attempt + 1);
            }
            Action::LosePatience(number) => next.jobs[number].at = At::Yield,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOT_TWICE, |model: &Self, state: &State| {
                (0..model.targets).all(|target| state.runs_of(target) <= 1 + model.failed)
            }),
            Property::always(STARTED, |model: &Self, state: &State| {
                let is_over = state.jobs.iter().all(Job::is_done);
                !is_over || state.deaths + state.refusals > 0 || model.all_started(state)
            }),
            Property::always(STARTED_BY_LAST, |model: &Self, state: &State| {
                let mut ended = state.jobs.iter().filter(|job| job.at == At::Over);
                !ended.any(|job| !job.has_yielded && !job.was_refused) || model.all_started(state)
            }),
            Property::always(RECORDED, |_, state: &State| {
                let log = LogId::whole(state.store.comments());
                let recorded: BTreeSet<RunId> = log.get(runs_in);
                let ended = state.jobs.iter().all(|job| job.at == At::Over && job.attempt == 1);
                !ended || (0..state.runs.len()).all(|run| recorded.contains(&run_id(run)))
            }),
            Property::always(NOT_BLOCKED, |model: &Self, state: &State| {
                let mut left = (0..state.jobs.len()).filter(|job| !state.jobs[*job].is_done());
                let (Some(number), None) = (left.next(), left.next()) else { return true };
                let mut alone = state.clone();
                for _ in 0..100 {
                    if alone.jobs[number].is_done() {
                        break;
                    }
                    match alone.jobs[number].pages(model) {
                        Some(pages) => alone.read_page(number, pages[0], model),
                        None => alone.send(number, false, model),
                    }
                }
                let job = &alone.jobs[number];
                job.at == At::Dead
                    || job.at == At::Over && (job.has_yielded || job.was_refused || model.all_started(&alone))
            }),
        ]
    }
}

impl Claims {
    /// Whether every target was started; again, if its first run failed.
    fn all_started(&self, state: &State) -> bool {
        let least = if self.failed > 0 { 2 } else { 1 };
        (0..self.targets).all(|target| state.runs_of(target) >= least)
    }
}

impl State {
    fn runs_of(&self, target: usize) -> usize {
        self.runs.iter().filter(|of| usize::from(**of) == target).count()
    }

    /// Whether this run of the target is one of those that fail.
    fn has_failed(&self, target: u8, run: RunId, model: &Claims) -> bool {
        let of_target = (0..self.runs.len()).filter(|index| self.runs[*index] == target);
        of_target.take(model.failed).any(|index| run_id(index) == run)
    }

    /// Sends a job's next request, and decides what comes then.
    fn send(&mut self, number: usize, refused: bool, model: &Claims) {
        let me = writer(number, self.jobs[number].attempt);
        let mut job = self.jobs[number].clone();
        let written = match job.at.clone() {
            At::Claim => {
                let text = job.record(&me);
                let id = self.store.create(text);
                job.claim = Some(id);
                job.reader.log = job.reader.log.extended(id, text);
                job.at = At::Read;
                if model.order == Order::WithoutReadingAgain {
                    job.ask(&me, model);
                }
                Some(id)
            }
            At::Ask(mut others) => {
                let other = others.remove(0);
                let is_over = self.is_over(&other);
                job.told.push((other, is_over));
                job.asked(others, model);
                None
            }
            At::Leave { already, todo } => {
                job.set(&already, StartState::Yielded);
                job.start(todo, Vec::new());
                Some(job.rewrite(&me, &mut self.store))
            }
            At::Start { todo, outcomes } => {
                self.start(&mut job, todo, outcomes, refused);
                None
            }
            At::Record(outcomes) => {
                for outcome in outcomes {
                    job.was_refused |= outcome.state == StartState::Refused;
                    let start = job.starts.iter_mut().find(|start| start.target == outcome.target);
                    *start.expect("it started what it had claimed") = outcome;
                }
                job.wait_or_end();
                Some(job.rewrite(&me, &mut self.store))
            }
            At::Yield => {
                let waiting: Vec<u8> = job.waiting().collect();
                job.set(&waiting, StartState::Yielded);
                job.has_yielded = true;
                job.at = At::Over;
                Some(job.rewrite(&me, &mut self.store))
            }
            At::WriteCancelled(id, text) => {
                self.store.edit(id, text);
                job.end(At::Dead);
                Some(id)
            }
            At::ReadFirst | At::Read | At::Wait | At::WindUp | At::Over | At::Dead => None,
        };
        self.put(number, job, written);
    }

    /// Reads a page, and decides what comes then when it was the last one.
    fn read_page(&mut self, number: usize, page: u8, model: &Claims) {
        let mut job = self.jobs[number].clone();
        let me = writer(number, job.attempt);
        if job.at == At::Wait {
            job.at = At::Read;
        }
        if job.reader.read_page(page, &self.store, model.pages) {
            match job.at {
                At::ReadFirst => {
                    job.want_what_is_open(model, |target, run| self.has_failed(target, run, model))
                }
                At::WindUp => job.wind_up(&me),
                _ => job.ask(&me, model),
            }
        }
        self.put(number, job, None);
    }

    fn put(&mut self, number: usize, mut job: Job, written: Option<Id>) {
        if job.at == At::Over {
            job.end(At::Over);
        }
        self.jobs[number] = job;
        for job in self.jobs.iter_mut().filter(|job| !job.is_done()) {
            written.into_iter().for_each(|id| job.reader.notice(id));
        }
    }

    /// What GitHub says of another hub run, as `liveness_of` in `work.rs` takes it.
    fn is_over(&self, other: &Writer) -> bool {
        let (_, job) = self
            .jobs
            .iter()
            .enumerate()
            .find(|(number, _)| writer(*number, other.attempt) == *other)
            .expect("a hub run");
        job.attempt > other.attempt || job.is_done()
    }

    /// Looks for a run that no claim records, or starts one.
    fn start(&mut self, job: &mut Job, mut todo: Vec<Todo>, mut outcomes: Vec<Wanted>, refused: bool) {
        let Todo { target, look } = todo.remove(0);
        let mut known: BTreeSet<RunId> = job.reader.log.get(runs_in);
        known.extend(outcomes.iter().filter_map(|outcome| outcome.run).map(|run| run_id(run.into())));
        let is_wanted = |run: &usize| self.runs[*run] == target && !known.contains(&run_id(*run));
        let found: Vec<usize> = (0..self.runs.len()).filter(is_wanted).collect();
        let outcome = |state, run: Option<usize>| Wanted {
            target,
            state,
            run: run.map(|run| u8::try_from(run).expect("few runs")),
        };
        if refused {
            outcomes.push(outcome(StartState::Refused, None));
        } else if look {
            match found[..] {
                [] => todo.insert(0, Todo { target, look: false }),
                [run] => outcomes.push(outcome(StartState::Started, Some(run))),
                _ => outcomes.push(outcome(StartState::Unknown, None)),
            }
        } else {
            self.runs.push(target);
            outcomes.push(outcome(StartState::Started, Some(self.runs.len() - 1)));
        }
        job.start(todo, outcomes);
    }
}

impl Job {
    fn new(attempt: u32) -> Self {
        Self {
            at: At::ReadFirst,
            attempt,
            reader: Reader::new(),
            claim: None,
            again: Vec::new(),
            starts: Vec::new(),
            told: Vec::new(),
            has_yielded: false,
            was_refused: false,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.at, At::Over | At::Dead)
    }

    fn is_cancelled(&self) -> bool {
        matches!(self.at, At::WindUp | At::WriteCancelled(..))
    }

    /// The pages that it may read next, if it reads.
    fn pages(&self, model: &Claims) -> Option<Vec<u8>> {
        let reads = matches!(self.at, At::ReadFirst | At::Read | At::Wait | At::WindUp);
        reads.then(|| self.reader.next_pages(model.pages))
    }

    /// What `cancelled` in `work.rs` decides, which is not public.
    fn wind_up(&mut self, me: &Writer) {
        let is_open = |start: &Start| start.state == StartState::Claimed;
        let claim = self.reader.log.get(|log| {
            let mut open =
                log.dispatches().filter(|(_, claim)| claim.by == *me && claim.targets.iter().any(is_open));
            let (comment, claim) = open.next()?;
            let mut claim = Dispatch { seq: log.last_seq(me) + 1, ..claim.clone() };
            claim.targets.iter_mut().filter(|start| is_open(start)).for_each(|start| {
                start.state = StartState::Cancelled;
            });
            Some((id_of(comment.id), Text::of(&Record::Dispatch(claim).render())))
        });
        match claim {
            Some((id, text)) => self.at = At::WriteCancelled(id, text),
            None => self.end(At::Dead),
        }
    }

    /// Whether its next request starts a target.
    fn is_starting(&self) -> bool {
        matches!(&self.at, At::Start { todo, .. } if !todo[0].look)
    }

    /// Ends; of what it knew only what its claim says matters to anybody.
    fn end(&mut self, at: At) {
        let Self { attempt, has_yielded, was_refused, .. } = *self;
        *self = Self { at, has_yielded, was_refused, ..Self::new(attempt) };
    }

    fn want_what_is_open(&mut self, model: &Claims, has_failed: impl Fn(u8, RunId) -> bool) {
        let targets = 0..u8::try_from(model.targets).expect("few targets");
        self.again = targets
            .clone()
            .filter_map(|target| Some((target, self.again(target, model, &has_failed)?)))
            .collect();
        // A start counts whether or not its job is over, so nobody need be asked.
        let standing = |target: u8| {
            let counting = Counting { after: self.after(target), before: None };
            self.reader.log.get(|log| claim::standing(log, &name(target), counting, |_| Liveness::Alive))
        };
        let open = targets.filter(|target| !matches!(standing(*target), Standing::Started(_)));
        let claimed = |target| Wanted { target, state: StartState::Claimed, run: None };
        self.starts = open.map(claimed).collect();
        self.at = if self.starts.is_empty() { At::Over } else { At::Claim };
    }

    /// What `again` in `waves.rs` decides, which is not public: the claim that started the target's
    /// newest run, if that has failed.
    fn again(&self, target: u8, model: &Claims, has_failed: impl Fn(u8, RunId) -> bool) -> Option<Id> {
        let name = name(target);
        let claim = self.reader.log.get(|log| {
            let run = log.fold().targets.get(&name)?.run.as_ref()?.id;
            if !has_failed(target, run) {
                return None;
            }
            let claims = |start: &Start| start.target == name;
            let newest = || {
                let claims = log.dispatches().filter(|(_, claim)| claim.targets.iter().any(claims));
                claims.map(|(comment, _)| comment.id).max()
            };
            match model.order {
                Order::AfterAnyClaim => newest(),
                _ => claim::start_of(log, &name, Some(run)),
            }
        });
        claim.map(id_of)
    }

    /// From which claim on claims on the target count.
    fn after(&self, target: u8) -> Option<CommentId> {
        let (_, after) = self.again.iter().find(|(again, _)| *again == target)?;
        Some(CommentId((*after).into()))
    }

    /// The targets that it has claimed and not decided about.
    fn waiting(&self) -> impl Iterator<Item = u8> {
        let waiting = self.starts.iter().filter(|start| start.state == StartState::Claimed);
        waiting.map(|start| start.target)
    }

    /// Finds out which jobs to ask for.
    fn ask(&mut self, me: &Writer, model: &Claims) {
        let mine = self.claim.map(|id| CommentId(id.into()));
        let mut others: Vec<Writer> =
            self.reader.log.get(|log| claim::claimants(log, mine).cloned().collect());
        others.sort();
        others.dedup();
        self.told.clear();
        others.retain(|other| match claim::is_over_for(other, me) {
            Some(liveness) => {
                self.told.push((other.clone(), liveness == Liveness::Over));
                false
            }
            None => true,
        });
        self.asked(others, model);
    }

    fn asked(&mut self, others: Vec<Writer>, model: &Claims) {
        if !others.is_empty() {
            self.at = At::Ask(others);
            return;
        }
        let (mut already, mut todo) = (Vec::new(), Vec::new());
        for target in self.waiting() {
            match self.standing(target) {
                Standing::Held { .. } if model.order == Order::AnyClaimWins => {
                    todo.push(Todo { target, look: false });
                }
                Standing::Held { .. } => {}
                Standing::Started(_) => already.push(target),
                Standing::Free => todo.push(Todo { target, look: false }),
                Standing::Uncertain(_) => {
                    todo.push(Todo { target, look: model.order != Order::WithoutLook });
                }
            }
        }
        self.told.clear();
        if already.is_empty() {
            self.start(todo, Vec::new());
        } else {
            self.at = At::Leave { already, todo };
        }
    }

    fn standing(&self, target: u8) -> Standing {
        let mine = self.claim.map(|id| CommentId(id.into()));
        let counting = Counting { after: self.after(target), before: mine };
        let liveness = |writer: &Writer| {
            let is_over = self.told.iter().any(|(told, is_over)| told == writer && *is_over);
            if is_over { Liveness::Over } else { Liveness::Alive }
        };
        self.reader.log.get(|log| claim::standing(log, &name(target), counting, liveness))
    }

    /// Goes on with what is to be started; then records it.
    fn start(&mut self, todo: Vec<Todo>, outcomes: Vec<Wanted>) {
        if !todo.is_empty() {
            self.at = At::Start { todo, outcomes };
        } else if !outcomes.is_empty() {
            self.at = At::Record(outcomes);
        } else {
            self.wait_or_end();
        }
    }

    fn wait_or_end(&mut self) {
        self.at = if self.waiting().next().is_some() { At::Wait } else { At::Over };
    }

    fn set(&mut self, targets: &[u8], state: StartState) {
        let chosen = self.starts.iter_mut().filter(|start| targets.contains(&start.target));
        chosen.for_each(|start| start.state = state);
    }

    /// Rewrites its claim.
    fn rewrite(&mut self, me: &Writer, store: &mut Store) -> Id {
        let id = self.claim.expect("it has claimed");
        let text = self.record(me);
        assert!(store.edit(id, text), "nobody deletes claims");
        self.reader.log = self.reader.log.extended(id, text);
        id
    }

    fn record(&self, me: &Writer) -> Text {
        let seq = self.reader.log.get(|log| log.last_seq(me)) + 1;
        record(me, seq, &self.starts)
    }
}

fn record(by: &Writer, seq: u64, starts: &[Wanted]) -> Text {
    let start = |wanted: &Wanted| Start {
        target: name(wanted.target),
        repository: "acme/web".parse().expect("a name"),
        workflow: Some("release.yml".to_owned()),
        git_ref: Some("main".to_owned()),
        needs: Vec::new(),
        state: wanted.state,
        run: wanted.run.map(|run| run_id(run.into())),
        run_url: None,
        error: None,
        at: DateTime::UNIX_EPOCH,
        other: Map::new(),
    };
    let record = Dispatch {
        by: by.clone(),
        seq,
        run_url: String::new(),
        driver: None,
        release: None,
        targets: starts.iter().map(start).collect(),
        followed: Vec::new(),
        other: Map::new(),
    };
    Text::of(&Record::Dispatch(record).render())
}

/// The runs that any claim records.
fn runs_in(log: &release_ticket_action::ticket::Log) -> BTreeSet<RunId> {
    let starts = log.dispatches().flat_map(|(_, record)| &record.targets);
    starts.filter_map(|start| start.run).collect()
}

fn run_id(run: usize) -> RunId {
    RunId(900 + run as u64)
}

fn name(target: u8) -> String {
    format!("target-{target}")
}

fn writer(job: usize, attempt: u32) -> Writer {
    writer_of(RunId(100 + job as u64), attempt)
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
