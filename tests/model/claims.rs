//! Model B: hub jobs dispatch the same targets at the same time.
//!
//! Each job is driven by the product's own [`next`]: the model performs one step at a time, in every order
//! in which the steps of several jobs can happen, and gives the answers that GitHub would. Jobs may die or be
//! cancelled between any two steps, be run again, be refused, lose an answer, or lose their patience. The
//! board is left out: nobody reads state from it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use release_ticket_action::engine::step::{Candidate, RunOf, Search};
use release_ticket_action::engine::wording::Wording;
use release_ticket_action::engine::{
    Answer, Failure, Known, Patience, Pause, Ready, Request, Retry, Step, TicketIs,
};
use release_ticket_action::names::{IssueNumber, IssueRef, RunId, TargetName};
use release_ticket_action::place::Place;
use release_ticket_action::plan::{Applied, Effect};
use release_ticket_action::targets::{StartBy, Target};
use release_ticket_action::template::{HubValues, RunValues, Values};
use release_ticket_action::ticket::claim::Liveness;
use release_ticket_action::ticket::{
    Comment, Dispatch, FollowedRun, Log, Reason, Record, Start, StartState, Word, Writer,
};
use serde_json::Map;
use stateright::{Model, Property};

use crate::knowledge::{KnownId, RequestId, Steps};
use crate::library::{Id, LogId, Text};
use crate::store::{Pages, Reader, Store};

/// What is different on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    AsItIs,
    /// Nobody sees the claims of others.
    AnyClaimWins,
    /// Whoever claimed goes on by what was read before the claim.
    WithoutReadingAgain,
    /// A look for a run finds none.
    WithoutLook,
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
    /// Whether some of them are cancelled instead, and wind up.
    pub(crate) may_cancel: bool,
    /// So many times a job that has ended may be run again.
    pub(crate) reruns: u8,
    /// So many starts may be refused.
    pub(crate) refusals: u8,
    /// So many answers to starts may be lost.
    pub(crate) losses: u8,
    /// So many reads of the ticket may get no answer.
    pub(crate) silences: u8,
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
    losses: u8,
    silences: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Job {
    attempt: u32,
    is: Is,
    reader: Reader,
    known: KnownId,
    /// The steps that were planned and not performed yet.
    steps: Steps,
    is_cancelled: bool,
    /// Whether it waits for nobody any more.
    is_impatient: bool,
    /// Whether it got no answer to a read.
    has_failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Is {
    AtWork,
    /// It did all that it could.
    Ended,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The job performs its next step, which is not to read.
    Step(usize),
    /// The job reads a page.
    Page(usize, u8),
    /// The job's read gets no answer.
    Silence(usize),
    /// The job is cancelled, and winds up before it ends.
    Cancel(usize),
    /// The job's next step starts a target, and is refused.
    Refuse(usize),
    /// The job's next step starts a target, and the answer is lost.
    Lose(usize),
    /// The job dies; its last request was answered, or its next one was not sent.
    Die(usize),
    /// A job that has ended or died is run again.
    Rerun(usize),
    /// The job waits no longer.
    LosePatience(usize),
}

pub(crate) const NOT_TWICE: &str = "no target is started twice, or twice after the same failure";
pub(crate) const STARTED: &str = "when all has ended and nobody died or was refused, every target is started";
pub(crate) const STARTED_BY_LAST: &str =
    "whoever ends without yielding or a refusal leaves every target started";
pub(crate) const NOT_BLOCKED: &str = "whoever is left alone gets to the end, with every target started";
pub(crate) const RECORDED: &str = "a start is recorded when its job ends in order";

impl Model for Claims {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let (mut store, mut runs) = (Store::default(), Vec::new());
        if self.failed > 0 {
            runs.extend(0..u8::try_from(self.targets).expect("few targets"));
            store.create(failed_before(self.targets));
        }
        let jobs = (0..self.jobs).map(|number| self.job(number, 1)).collect();
        vec![State { store, jobs, runs, deaths: 0, reruns: 0, refusals: 0, losses: 0, silences: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, job) in state.jobs.iter().enumerate() {
            if job.is != Is::AtWork {
                actions.extend((state.reruns < self.reruns).then_some(Action::Rerun(number)));
                continue;
            }
            let step = job.next_step();
            match step {
                Step::ReadLog => {
                    let pages = job.reader.next_pages(self.pages);
                    actions.extend(pages.into_iter().map(|page| Action::Page(number, page)));
                    actions.extend((state.silences < self.silences).then_some(Action::Silence(number)));
                }
                _ => actions.push(Action::Step(number)),
            }
            let may_die = state.deaths < self.deaths && !job.is_cancelled;
            actions.extend((may_die && self.may_cancel).then_some(Action::Cancel(number)));
            actions.extend((state.deaths < self.deaths).then_some(Action::Die(number)));
            if matches!(step, Step::Apply(Effect::StartWorkflow(_))) {
                actions.extend((state.refusals < self.refusals).then_some(Action::Refuse(number)));
                actions.extend((state.losses < self.losses).then_some(Action::Lose(number)));
            }
            let waits = matches!(step, Step::Pause { reason: Pause::Held(_), .. });
            actions.extend((waits && self.may_yield).then_some(Action::LosePatience(number)));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Step(number) => next.perform(number, Fate::Good, self),
            Action::Page(number, page) => next.read_page(number, page, self),
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
            Action::Die(number) => {
                next.deaths += 1;
                next.jobs[number].end(Is::Dead);
            }
            Action::Rerun(number) => {
                next.reruns += 1;
                next.jobs[number] = self.job(number, next.jobs[number].attempt + 1);
            }
            Action::LosePatience(number) => {
                next.jobs[number].is_impatient = true;
                next.perform(number, Fate::Good, self);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOT_TWICE, |model: &Self, state: &State| {
                (0..model.targets).all(|target| state.runs_of(target) <= 1 + model.failed)
            }),
            Property::always(STARTED, |model: &Self, state: &State| {
                let has_ended = state.jobs.iter().all(|job| job.is != Is::AtWork);
                !has_ended
                    || state.deaths + state.refusals + state.losses + state.silences > 0
                    || model.all_started(state)
            }),
            Property::always(STARTED_BY_LAST, |model: &Self, state: &State| {
                let ended = (0..state.jobs.len()).filter(|job| state.ended_well(*job));
                ended.into_iter().all(|job| state.gave_up(job) || model.all_started(state))
            }),
            Property::always(RECORDED, |_, state: &State| {
                let log = LogId::whole(state.store.comments());
                let recorded: BTreeSet<RunId> = log.get(runs_in);
                let ended = (0..state.jobs.len())
                    .all(|job| state.ended_well(job) && state.jobs[job].attempt == 1 && !state.gave_up(job));
                !ended || (0..state.runs.len()).all(|run| recorded.contains(&run_id(run)))
            }),
            Property::always(NOT_BLOCKED, |model: &Self, state: &State| {
                let mut left = (0..state.jobs.len()).filter(|job| state.jobs[*job].is == Is::AtWork);
                let (Some(number), None) = (left.next(), left.next()) else { return true };
                let mut alone = state.clone();
                for _ in 0..200 {
                    let job = &alone.jobs[number];
                    if job.is != Is::AtWork {
                        break;
                    }
                    match job.next_step() {
                        Step::ReadLog => {
                            let page = job.reader.next_pages(model.pages)[0];
                            alone.read_page(number, page, model);
                        }
                        _ => alone.perform(number, Fate::Good, model),
                    }
                }
                alone.jobs[number].is_cancelled
                    || alone.ended_well(number) && (alone.gave_up(number) || model.all_started(&alone))
            }),
        ]
    }
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Refused,
    Lost,
}

impl Claims {
    /// A job that begins.
    fn job(&self, number: usize, attempt: u32) -> Job {
        let ticket = TicketIs::Open { issue: ticket(), url: String::new(), created: None };
        let mut job = Job {
            attempt,
            is: Is::AtWork,
            reader: Reader::new(),
            known: KnownId::of(Known::new(ticket, Vec::new())),
            steps: Steps::none(),
            is_cancelled: false,
            is_impatient: false,
            has_failed: false,
        };
        job.plan(self.request(number, &job), self, number);
        job
    }

    fn request(&self, number: usize, job: &Job) -> RequestId {
        let retry = if self.failed > 0 { Retry::Failed } else { Retry::Nothing };
        RequestId::of((number, job.attempt, job.is_cancelled, self.targets, retry), || {
            let by = writer(number, job.attempt);
            let targets: Vec<Ready> = (0..self.targets).map(ready).collect();
            Request {
                run_url: format!("hub/{}", by.run),
                by,
                driver: None,
                release: None,
                listed: targets.iter().map(|ready| ready.target.name.clone()).collect(),
                targets,
                retry,
                follow: None,
                cancel_runs: false,
                close: false,
                max_parallel: 8,
                patience: Patience::default(),
                wording: wording(),
                wind_up: job.is_cancelled,
            }
        })
    }

    /// Whether every target was started; again, if its first run failed.
    fn all_started(&self, state: &State) -> bool {
        let least = if self.failed > 0 { 2 } else { 1 };
        (0..self.targets).all(|target| state.runs_of(target) >= least)
    }

    /// The log by which a job decides.
    fn seen_by(&self, number: usize, log: &Log) -> Log {
        if self.order != Order::AnyClaimWins {
            return log.clone();
        }
        let run = writer(number, 1).run;
        let is_others = |record: &Record| {
            let Record::Dispatch(dispatch) = record else { return false };
            let is_claimed = |start: &Start| start.state == StartState::Claimed;
            dispatch.by.run != run && dispatch.targets.iter().any(is_claimed)
        };
        let mut seen = Log::default();
        let comments = log.records().filter(|(_, record)| !is_others(record));
        seen.extend(comments.map(|(comment, _)| comment.clone()));
        seen
    }
}

impl State {
    fn runs_of(&self, target: usize) -> usize {
        self.runs.iter().filter(|of| usize::from(**of) == target).count()
    }

    fn ended_well(&self, number: usize) -> bool {
        self.jobs[number].is == Is::Ended && !self.jobs[number].is_cancelled
    }

    /// Whether the job left a target to another one, was refused, could not tell what became of a start, or
    /// could not read.
    fn gave_up(&self, number: usize) -> bool {
        if self.jobs[number].has_failed {
            return true;
        }
        let me = writer(number, self.jobs[number].attempt);
        LogId::whole(self.store.comments()).get(|log| {
            let ours = log.dispatches().filter(|(_, dispatch)| dispatch.by == me);
            let mut starts = ours.flat_map(|(_, dispatch)| &dispatch.targets);
            starts.any(|start| {
                let is_left = matches!(start.because, Some(Word::Known(Reason::Claimed { .. })));
                is_left || start.state == StartState::Refused || start.state == StartState::Unknown
            })
        })
    }

    /// Performs the job's next step, which is not to read.
    fn perform(&mut self, number: usize, fate: Fate, model: &Claims) {
        let step = self.jobs[number].next_step();
        let mut written = None;
        let answer = match &step {
            Step::AskHubRun(job) => Answer::HubRun(self.liveness(job)),
            Step::LookAtRun(of) => Answer::Run(Box::new(self.look_at(of, model))),
            Step::FindRun(search) => Answer::Runs(self.candidates(search, model)),
            Step::Apply(Effect::WriteRecord { comment, record, .. }) => {
                let text = Text::of(&record.render());
                let id = match comment {
                    None => self.store.create(text),
                    Some(id) => {
                        let id = Id::try_from(id.0).expect("a model creates few comments");
                        assert!(self.store.edit(id, text), "nobody deletes claims");
                        id
                    }
                };
                let reader = &mut self.jobs[number].reader;
                reader.log = reader.log.extended(id, text);
                written = Some(id);
                Answer::Applied(Applied::Written(comment_of(id, &text.get())))
            }
            Step::Apply(Effect::StartWorkflow(start)) => self.start(&start.target, fate),
            Step::Pause { reason: Pause::Held(_), .. } => Answer::Done,
            // GitHub lists at once what it has started, so no look is in vain.
            step => panic!("no job of this model takes the step {step:?}"),
        };
        for job in self.jobs.iter_mut().filter(|job| job.is == Is::AtWork) {
            written.into_iter().for_each(|id| job.reader.notice(id));
        }
        self.learn(number, &step, answer, model);
    }

    fn start(&mut self, target: &TargetName, fate: Fate) -> Answer {
        let failed = |is_without_effect| {
            Answer::Failed(Failure { what: "no".into(), help: None, is_final: true, is_without_effect })
        };
        if fate == Fate::Refused {
            return failed(true);
        }
        self.runs.push(number_of(target));
        let run = run_id(self.runs.len() - 1);
        match fate {
            Fate::Lost => failed(false),
            _ => Answer::Applied(Applied::Started(Some((run, String::new())))),
        }
    }

    /// Reads a page, and learns from the list when it was the last one.
    fn read_page(&mut self, number: usize, page: u8, model: &Claims) {
        let mut job = self.jobs[number].clone();
        if model.order == Order::WithoutReadingAgain && job.has_claimed(number) {
            self.learn(number, &Step::ReadLog, Answer::Done, model);
            return;
        }
        let is_read = job.reader.read_page(page, &self.store, model.pages);
        self.jobs[number] = job;
        if is_read {
            self.learn(number, &Step::ReadLog, Answer::Done, model);
        }
    }

    fn learn(&mut self, number: usize, step: &Step, answer: Answer, model: &Claims) {
        let job = &mut self.jobs[number];
        let request = model.request(number, job);
        let log = job.reader.log;
        job.known = job.known.learned(step, answer, request, log, now(job.is_impatient));
        job.steps = job.steps.rest();
        self.plan(number, model);
    }

    fn plan(&mut self, number: usize, model: &Claims) {
        let request = model.request(number, &self.jobs[number]);
        self.jobs[number].plan(request, model, number);
    }

    /// Whether another hub job is at work, as GitHub says of its run.
    fn liveness(&self, other: &Writer) -> Liveness {
        let number = usize::try_from(other.run.0 - HUB_RUN).expect("a hub run");
        let job = &self.jobs[number];
        let has_ended = job.attempt > other.attempt || job.is != Is::AtWork;
        if has_ended { Liveness::Ended } else { Liveness::Alive }
    }

    fn look_at(&self, of: &RunOf, model: &Claims) -> FollowedRun {
        let target = number_of(&of.target);
        let of_target = (0..self.runs.len()).filter(|index| self.runs[*index] == target);
        let has_failed = of_target.take(model.failed).any(|index| run_id(index) == of.run);
        followed(&of.target, of.run, has_failed)
    }

    fn candidates(&self, search: &Search, model: &Claims) -> Vec<Candidate> {
        if model.order == Order::WithoutLook {
            return Vec::new();
        }
        let target = number_of(&search.target);
        let runs = (0..self.runs.len()).filter(|run| self.runs[*run] == target);
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

    /// Plans anew when all that was planned is done; decisions and the board need no request.
    fn plan(&mut self, request: RequestId, model: &Claims, number: usize) {
        let now = now(self.is_impatient);
        loop {
            let Some(step) = self.steps.first() else {
                let seen = self
                    .reader
                    .log
                    .seen(model.order == Order::AnyClaimWins, number, |log| model.seen_by(number, log));
                let (known, steps) = self.known.next(request, seen, now);
                (self.known, self.steps) = (known, steps);
                if self.steps.first().is_none() {
                    self.end(Is::Ended);
                    return;
                }
                continue;
            };
            let answer = match &step {
                Step::StartAgain(_) | Step::Refuse { .. } | Step::Apply(Effect::Skip { .. }) => Answer::Done,
                Step::Apply(Effect::UpdateBoard { .. }) => Answer::Applied(Applied::Board(None)),
                _ => return,
            };
            self.known = self.known.learned(&step, answer, request, self.reader.log, now);
            self.steps = self.steps.rest();
        }
    }

    fn cancel(&mut self) {
        self.is_cancelled = true;
        self.steps = Steps::none();
        self.known = self.known.changed("wind up", Known::wind_up);
    }

    /// Ends; what it knew matters to nobody any more.
    fn end(&mut self, is: Is) {
        let ticket = TicketIs::Open { issue: ticket(), url: String::new(), created: None };
        let nothing = Known::new(ticket, Vec::new());
        (self.is, self.reader, self.known, self.steps) =
            (is, Reader::new(), KnownId::of(nothing), Steps::none());
    }
}

const HUB_RUN: u64 = 100;

/// The time: only patience asks for it.
fn now(is_impatient: bool) -> DateTime<Utc> {
    let passed = if is_impatient { TimeDelta::hours(1) } else { TimeDelta::zero() };
    DateTime::UNIX_EPOCH + passed
}

fn ticket() -> IssueRef {
    IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(1) }
}

fn comment_of(id: Id, body: &str) -> Comment {
    crate::library::comment(id, body)
}

fn ready(target: usize) -> Ready {
    let place = Place { source: String::new(), line: 1, column: 1 };
    let target = Target {
        name: name(target),
        repository: "acme/web".parse().expect("a name"),
        start: StartBy::Workflow(format!("release-{target}.yml").into()),
        git_ref: None,
        inputs: Vec::new(),
        needs: Vec::new(),
        place,
    };
    Ready { target, git_ref: "main".into(), declared: None, same_account: false }
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
            form: Map::new(),
            event: Map::new(),
        },
        hub,
    }
}

/// The record of a hub job that started every target before; all of these runs have failed.
fn failed_before(targets: usize) -> Text {
    let start = |target: usize| Start {
        target: name(target),
        repository: "acme/web".parse().expect("a name"),
        workflow: Some(format!("release-{target}.yml").into()),
        git_ref: Some("main".into()),
        needs: Vec::new(),
        state: StartState::Started.into(),
        run: Some(run_id(target)),
        run_url: None,
        because: None,
        at: DateTime::UNIX_EPOCH,
        other: Map::new(),
    };
    let record = Dispatch {
        by: writer_of(RunId(90), 1),
        seq: 1,
        run_url: String::new(),
        driver: None,
        release: None,
        targets: (0..targets).map(start).collect(),
        followed: (0..targets).map(|target| followed(&name(target), run_id(target), true)).collect(),
        other: Map::new(),
    };
    Text::of(&Record::Dispatch(record).render())
}

fn followed(target: &TargetName, run: RunId, has_failed: bool) -> FollowedRun {
    FollowedRun {
        target: target.clone(),
        repository: "acme/web".parse().expect("a name"),
        run,
        attempt: 1,
        run_url: String::new(),
        status: if has_failed { "completed" } else { "in_progress" }.to_owned(),
        conclusion: has_failed.then(|| "failure".to_owned()),
        job: None,
        jobs: 0,
        jobs_over: 0,
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
