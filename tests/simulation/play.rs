//! The play: hub jobs, target jobs and people act on one simulated GitHub, each in its own time.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{join_all, pending};
use release_ticket_action::github::{GitHub, transport};
use release_ticket_action::inputs::Inputs;
use release_ticket_action::job::{Clock, Environment, Job};
use release_ticket_action::ticket::Status;
use release_ticket_action::{event::Event, receipt::Receipt, run};
use serde_json::{Map, Value, json};
use simulated_github::{Exchange, Run, World};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use crate::history::{self, History};
use crate::journal::{
    By, CommandComment, DispatchStep, Journal, NotifyStep, Outcome, PersonComment, ReportStep, StartedRun,
    StepReceipt,
};
use crate::network::{Faults, Sky};
use crate::scenario::{
    self, Act, Ending, Hub, HubAttempt, Nightly, Person, Scenario, StepKind, Stop, Target, Wait,
};
use crate::steering::{Command, CommentFate, PEOPLE, Push};
use crate::witness::{Rulebook, Violation};

pub(crate) const HUB: &str = "acme/hub";
pub(crate) const RELEASE: &str = "1.4.0";
const HUB_TOKEN: &str = "ghs_the-hubs-secret";

/// A run that is queued for this time or longer waits for a review.
const LONG_QUEUE: Duration = Duration::from_secs(12);

/// The time in which GitHub carries out the requests that it has received, even if the client is gone. No job begins
/// earlier.
const IN_FLIGHT: Duration = Duration::from_secs(3);

/// The time that the runner gives to a step that it has cancelled.
const UNTIL_KILLED: Duration = Duration::from_secs(10);

/// The result of a play.
pub(crate) struct Play {
    pub(crate) scenario: Scenario,
    pub(crate) world: World,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) exchanges: Vec<Exchange>,
    /// The gates and freezes, if the release is steered.
    pub(crate) rules: Option<Rulebook>,
    /// The starts against a command that GitHub had shown to their step.
    pub(crate) violations: Vec<Violation>,
}

impl Play {
    /// The most issues and comments that were created within a minute.
    pub(crate) fn most_creations_a_minute(&self) -> usize {
        let times = self.world.content_creations();
        let within =
            |from| times.iter().filter(|at| (from..from + TimeDelta::minutes(1)).contains(*at)).count();
        times.iter().map(|from| within(*from)).max().unwrap_or(0)
    }
}

impl fmt::Display for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "story:\n{}\n\nsteps, as they ended:\n{}", self.world.story(), self.journal)
    }
}

/// The secrets of all steps.
pub(crate) fn secrets(scenario: &Scenario) -> Vec<String> {
    let target_tokens = scenario.targets.iter().map(|target| token_of(&target.repository));
    target_tokens.chain([HUB_TOKEN.to_owned()]).collect()
}

/// The open ticket with the lowest number, if there is one yet.
pub(crate) fn ticket(world: &World) -> Option<u64> {
    let issues = world.issues(HUB);
    issues.iter().find(|issue| issue.is_open() && issue.author == "acme-release[bot]").map(|it| it.number)
}

fn token_of(repository: &str) -> String {
    format!("ghs_secret-of-{}", repository.replace('/', "-"))
}

/// Plays a scenario from its beginning until no step and no person has anything left to do.
pub(crate) fn play(scenario: Scenario, log: bool) -> Play {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output");
    fastrand::seed(scenario.seed);
    let subscriber = log.then(|| {
        use tracing_subscriber::prelude::*;
        let ours = tracing_subscriber::filter::filter_fn(|metadata| {
            let target = metadata.target();
            ["release_ticket_action", "simulation", "request", "notice"]
                .iter()
                .any(|ours| target.starts_with(ours))
        });
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
        let layer = layer.with_timer(Virtual(std::sync::OnceLock::new())).with_filter(ours);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
    });
    let local = tokio::task::LocalSet::new();
    let play = local.block_on(&runtime, async {
        let stage = Rc::new(Stage::new(scenario));
        let play = tokio::time::timeout(Duration::from_secs(7 * 24 * 3600), Rc::clone(&stage).play());
        play.await.expect("a play ends within a week of its own time");
        stage.result()
    });
    drop(local);
    drop(subscriber);
    play
}

/// The time since the play began.
struct Virtual(std::sync::OnceLock<tokio::time::Instant>);

impl tracing_subscriber::fmt::time::FormatTime for Virtual {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> fmt::Result {
        let start = self.0.get_or_init(tokio::time::Instant::now);
        write!(w, "{:9.3}", start.elapsed().as_secs_f64())
    }
}

struct Stage {
    scenario: Scenario,
    world: World,
    sky: Sky,
    journal: RefCell<Journal>,
    start: DateTime<Utc>,
    /// Whether the last hub run has started.
    is_ending: Cell<bool>,
    temp: TempDir,
}

/// A step before it is run.
struct Step {
    by: By,
    inputs: BTreeMap<String, String>,
    event: Value,
    temp: Option<PathBuf>,
    skew: i64,
    stop: Option<Stop>,
    calm: bool,
    actor: &'static str,
}

/// The comment that has started a run of the hub's workflow.
#[derive(Debug, Clone)]
struct Cause {
    comment: u64,
    who: &'static str,
    event: Value,
}

impl Step {
    fn new(by: By, mode: &str, token: String) -> Self {
        let step = Self {
            by,
            inputs: BTreeMap::new(),
            event: json!({}),
            temp: None,
            skew: 0,
            stop: None,
            calm: false,
            actor: "alice",
        };
        step.input("mode", mode).input("token", token)
    }

    fn input(mut self, name: &str, value: impl ToString) -> Self {
        self.inputs.insert(name.to_owned(), value.to_string());
        self
    }
}

/// Creates everything that exists before the play begins; the oldest answer shows it, too.
fn set_up(world: &World, scenario: &Scenario, rules: Option<&Rulebook>) {
    world.content_creation_limit(80);
    world.user("mallory");
    let hub = world.repository(HUB).member("alice", "MEMBER").assignable("alice");
    hub.file(".github/workflows/release.yml", "on: workflow_dispatch");
    let hub_token = world.token(HUB_TOKEN).acts_as("acme-release[bot]");
    hub_token.can(HUB, &["issues: write", "actions: read", "contents: read"]);
    if let Some(rules) = rules {
        PEOPLE.iter().for_each(|(login, role)| drop(hub.role(login, role)));
        hub.file(".github/release-targets.yml", &targets_file(rules).to_string());
    }
    for target in &scenario.targets {
        let inputs = match target.old_style {
            true => {
                "{ reportTo: {}, releaseTicketNumber: { default: '-1' }, draftRelease: { type: boolean } }"
            }
            false => "{ release-ticket: {}, release-target: {} }",
        };
        let text = format!(
            "name: Release\nrun-name: For ${{{{ inputs.release-ticket }}}}\n\
             on:\n  workflow_dispatch:\n    inputs: {inputs}\n"
        );
        let path = format!(".github/workflows/{}", target.workflow);
        world.repository(&target.repository).member("alice", "MEMBER").file(&path, &text);
        hub_token.can(&target.repository, &["actions: write", "contents: read"]);
        let token = world.token(&token_of(&target.repository)).acts_as("acme-report[bot]");
        token.can(HUB, &["issues: write"]).can(&target.repository, &["issues: write", "actions: read"]);
    }
}

/// The targets as the hub lists them.
fn targets(scenario: &[Target]) -> Value {
    let targets = scenario.iter().map(|target| {
        let inputs = match target.old_style {
            true => json!({
                "reportTo": "{{ hub.name }}",
                "releaseTicketNumber": "{{ ticket.number }}",
                "draftRelease": true,
            }),
            false => json!({}),
        };
        let Target { name, repository, workflow, needs, gates, .. } = target;
        let needs: Vec<&str> = needs.iter().map(String::as_str).chain(gates.iter().copied()).collect();
        json!({ "name": name, "repository": repository, "workflow": workflow, "inputs": inputs, "needs": needs })
    });
    Value::from_iter(targets)
}

/// The targets file of a release that is steered from its ticket.
fn targets_file(rules: &Rulebook) -> Value {
    let gates = rules.steering.gates.iter().map(|gate| {
        let on_moved = if gate.may_move { "warn" } else { "lapse" };
        let mut entry = json!({ "name": gate.name, "required": gate.required, "on-moved": on_moved });
        if !gate.approvers.is_empty() {
            entry["approvers"] = json!(gate.approvers);
        }
        entry
    });
    let freezes = rules.freezes.iter().map(|freeze| json!({ "from": freeze.from, "to": freeze.to }));
    let mut file = json!({ "targets": targets(&rules.targets) });
    if !rules.steering.gates.is_empty() {
        file["gates"] = gates.collect();
    }
    if !rules.freezes.is_empty() {
        file["freeze"] = freezes.collect();
    }
    file
}

impl Stage {
    fn new(scenario: Scenario) -> Self {
        let world = World::new();
        let start = world.now();
        let rules = Rulebook::of(&scenario, start);
        set_up(&world, &scenario, rules.as_ref());
        let history = scenario.follows_runs.then(History::default);
        let sky = Sky::over(&world, &scenario.weather, scenario.seed, history).with_rules(rules);
        let temp = tempfile::tempdir().expect("a temporary folder");
        Self { scenario, world, sky, journal: RefCell::default(), start, is_ending: Cell::new(false), temp }
    }

    fn journal(&self) -> RefMut<'_, Journal> {
        self.journal.borrow_mut()
    }

    async fn play(self: Rc<Self>) {
        let mut new_runs = self.world.started_runs();
        let people: Vec<_> =
            self.scenario.people.iter().cloned().map(|it| self.act(it)).map(spawn_local).collect();
        let nightlies = self.scenario.nightlies.iter().cloned().map(|it| self.nightly(it)).map(spawn_local);
        let nightlies: Vec<_> = nightlies.collect();
        let steering = self.scenario.steering.clone().unwrap_or_default();
        let pushes: Vec<_> = steering.pushes.iter().map(|it| spawn_local(self.push(*it))).collect();
        self.release(self.scenario.hubs.clone(), steering.commands, &mut new_runs).await;
        for result in join_all(people.into_iter().chain(nightlies).chain(pushes)).await {
            result.expect("what plays around the steps does not panic");
        }
        sleep(IN_FLIGHT).await;
        if let Some(last) = &self.scenario.last_hub {
            self.is_ending.set(true);
            self.release(vec![last.clone()], Vec::new(), &mut new_runs).await;
            sleep(IN_FLIGHT).await;
        }
        self.epilogue().await;
    }

    /// Plays these hub runs and all runs that they start to their end.
    async fn release(
        self: &Rc<Self>,
        hubs: Vec<Hub>,
        commands: Vec<Command>,
        new_runs: &mut UnboundedReceiver<Run>,
    ) {
        let hubs = hubs.into_iter().map(|it| spawn_local(self.hub(it, None)));
        let commands = commands.into_iter().map(|it| spawn_local(self.command(it)));
        let hubs = join_all(hubs.chain(commands).collect::<Vec<_>>());
        let mut runs = Vec::new();
        let mut dispatches = Box::pin(async {
            let results = hubs.await;
            sleep(IN_FLIGHT).await;
            results
        });
        let results = loop {
            tokio::select! {
                biased;
                Some(run) = new_runs.recv() => runs.push(spawn_local(self.run(run))),
                results = &mut dispatches => break results,
            }
        };
        for result in results.into_iter().chain(join_all(runs).await) {
            result.expect("what plays around the steps does not panic");
        }
    }

    fn result(&self) -> Play {
        Play {
            scenario: self.scenario.clone(),
            world: self.world.clone(),
            journal: self.journal.take(),
            faults: self.sky.faults(),
            exchanges: self.world.exchanges(),
            rules: Rulebook::of(&self.scenario, self.start),
            violations: self.sky.violations(),
        }
    }

    // Steps.

    /// Runs a step as the runner would, until it is done or killed.
    async fn step(self: &Rc<Self>, step: Step) -> Outcome {
        let stage = Rc::clone(self);
        let span = tracing::info_span!("step", by = %step.by, mode = step.inputs["mode"]);
        let play = spawn_local(
            async move {
                match step.stop {
                    None => Some(stage.perform(step, pending()).await),
                    Some(Stop { after, gently: false }) => {
                        timeout(after, stage.perform(step, pending())).await.ok()
                    }
                    Some(Stop { after, gently: true }) => {
                        timeout(after + UNTIL_KILLED, stage.perform(step, sleep(after))).await.ok()
                    }
                }
            }
            .instrument(span),
        );
        match play.await {
            Ok(Some(receipt)) => Outcome::Done(StepReceipt::from(&receipt)),
            Ok(None) => Outcome::Killed,
            Err(error) => Outcome::Panicked(error.to_string()),
        }
    }

    async fn perform(&self, step: Step, cancellation: impl Future<Output = ()>) -> Receipt {
        let clock = Clock::starting_at(self.world.now() + TimeDelta::seconds(step.skew));
        let mut environment = Environment::new();
        for (name, value) in [
            ("GITHUB_REPOSITORY", step.by.repository.clone()),
            ("GITHUB_RUN_ID", step.by.run.to_string()),
            ("GITHUB_RUN_ATTEMPT", step.by.attempt.to_string()),
            ("GITHUB_JOB", step.by.job.split(' ').next().unwrap_or_default().to_owned()),
            ("GITHUB_WORKFLOW", "Release".to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_ACTOR", step.actor.to_owned()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        if let Some(temp) = &step.temp {
            environment.insert("RUNNER_TEMP".to_owned(), temp.display().to_string());
        }
        let mut job = Job::read(&environment, clock).expect("this is what a runner sets");
        job.event = Event::parse(&step.event.to_string()).expect("an event is an object");
        let inputs = Inputs::read(&step.inputs, &job).expect("the inputs are fine");
        let network = self.sky.network(step.calm);
        let base = http::Uri::from_static("https://api.github.com");
        let octocrab = transport::over_service(network, base);
        let github = GitHub::new(
            octocrab,
            run::tokens(&inputs, |_, _| unreachable!("no step asks a token service")),
            clock,
            inputs.common.retry_timeout,
        );
        Box::pin(run::perform(&job, &inputs, &github, cancellation)).await
    }

    fn next_id(&self) -> u64 {
        let mut journal = self.journal();
        journal.next_id += 1;
        journal.next_id
    }

    // The hub.

    /// Plays a run of the hub's workflow, which a comment may have started.
    fn hub(self: &Rc<Self>, hub: Hub, cause: Option<Cause>) -> impl Future<Output = ()> + use<> {
        let stage = Rc::clone(self);
        async move {
            sleep(hub.at).await;
            let event = if cause.is_some() { "issue_comment" } else { "workflow_dispatch" };
            let run = stage.world.start_run(HUB, "release.yml", event);
            let mut attempts = hub.attempts.clone();
            attempts.reverse();
            let mut attempt = 0;
            while let Some(HubAttempt { after, stop }) = attempts.pop() {
                attempt += 1;
                sleep(after).await;
                if attempt > 1 {
                    stage.world.rerun(run);
                    stage.journal().reruns += 1;
                }
                let start = stage.world.now();
                let outcome = stage.dispatch(&hub, cause.as_ref(), (run, attempt), stop).await;
                let is_cancelled =
                    stop.is_some_and(|stop| stop.gently && stage.world.now() >= start + stop.after);
                let (conclusion, has_failed) = match &outcome {
                    Outcome::Done(_) if is_cancelled => ("cancelled", false),
                    Outcome::Done(receipt) if receipt.problems.is_empty() && receipt.failures.is_empty() => {
                        ("success", false)
                    }
                    Outcome::Done(receipt) => {
                        ("failure", !receipt.problems.is_empty() || receipt.is_out_of_time())
                    }
                    _ => ("cancelled", false),
                };
                stage.note_dispatch(&hub, cause.as_ref(), (run, attempt, start), outcome, is_cancelled);
                sleep(IN_FLIGHT).await;
                stage.world.finish_run(run, conclusion);
                if attempts.is_empty() && has_failed && hub.insists && attempt < 8 {
                    attempts.push(HubAttempt { after: Duration::from_secs(60), stop: None });
                }
            }
        }
    }

    fn note_dispatch(
        &self,
        hub: &Hub,
        cause: Option<&Cause>,
        (run, attempt, start): (u64, u32, DateTime<Utc>),
        outcome: Outcome,
        is_cancelled: bool,
    ) {
        let runs = self.scenario.targets.iter().flat_map(|target| self.world.runs(&target.repository));
        let runs = runs.map(|run| (run.id, run)).collect();
        let statuses = self.sky.read_ticket();
        let dispatch = DispatchStep {
            run,
            attempt,
            outcome,
            hub: hub.clone(),
            command: cause.map(|cause| cause.comment),
            start,
            end: self.world.now(),
            is_cancelled,
            runs,
            released_targets: history::released_targets(&statuses).cloned().collect(),
            is_last: self.is_ending.get(),
        };
        self.journal().dispatches.push(dispatch);
    }

    async fn dispatch(
        self: &Rc<Self>,
        hub: &Hub,
        cause: Option<&Cause>,
        (run, attempt): (u64, u32),
        stop: Option<Stop>,
    ) -> Outcome {
        self.world.update_run(run, |run| "in_progress".clone_into(&mut run.status));
        let by = By { repository: HUB.to_owned(), run, attempt, job: "dispatch".to_owned() };
        let mut step = Step::new(by, "dispatch", HUB_TOKEN.to_owned())
            .input("max-parallel", self.scenario.max_parallel)
            .input("retry-timeout", self.scenario.weather.retry_timeout);
        // Gates and freezes are in the targets file.
        if self.scenario.steering.is_none() {
            step = step.input("targets", targets(&self.scenario.targets));
        }
        if self.scenario.has_name && cause.is_none() {
            step = step.input("release", RELEASE);
        }
        if let Some(Cause { event, who, .. }) = cause {
            (step.event, step.actor) = (event.clone(), who);
        }
        if hub.retries {
            step = step.input("retry-failed", true);
        }
        if let Some(Wait { timeout, interval, cancels }) = hub.wait {
            step = step.input("wait", true).input("wait-timeout", timeout);
            step = step.input("wait-interval", interval).input("cancel-on-timeout", cancels);
        }
        self.step(Step { stop, calm: self.is_ending.get(), ..step }).await
    }

    /// A person comments a command, which starts runs of the hub's workflow.
    fn command(self: &Rc<Self>, command: Command) -> impl Future<Output = ()> + use<> {
        let stage = Rc::clone(self);
        async move {
            let Command { at, who, text, hubs, fate } = command;
            sleep(at).await;
            let Some(ticket) = ticket(&stage.world) else { return };
            let comment = stage.world.comment(HUB, ticket, who, &text);
            let event = stage.world.comment_event(comment, "created");
            stage.journal().commands.push(CommandComment { comment, who, text, is_deleted: false });
            let runs = hubs.into_iter().map(|hub| {
                let cause = Cause { comment, who, event: event.clone() };
                spawn_local(stage.hub(hub, Some(cause)))
            });
            let runs: Vec<_> = runs.collect();
            if let Some((after, fate)) = fate {
                sleep(after).await;
                stage.change(comment, fate);
            }
            for result in join_all(runs).await {
                result.expect("what plays around the steps does not panic");
            }
        }
    }

    /// Edits or deletes a comment; its command counts as it was given.
    fn change(&self, comment: u64, fate: CommentFate) {
        match fate {
            CommentFate::Edited => self.world.edit_comment(comment, "/release skip all : changed my mind"),
            CommentFate::Deleted => {
                self.world.delete_comment(HUB, comment);
                let mut journal = self.journal();
                let mut commands = journal.commands.iter_mut();
                commands.find(|command| command.comment == comment).expect("it was noted").is_deleted = true;
            }
        }
    }

    fn push(self: &Rc<Self>, push: Push) -> impl Future<Output = ()> + use<> {
        let stage = Rc::clone(self);
        async move {
            sleep(push.at).await;
            stage.world.push(&stage.scenario.targets[push.target].repository, "main");
        }
    }

    // The targets.

    /// Plays a run that the API started.
    fn run(self: &Rc<Self>, run: Run) -> impl Future<Output = ()> + use<> {
        let stage = Rc::clone(self);
        async move {
            let name = run.inputs.get("release-target").and_then(Value::as_str);
            let mut targets = stage.scenario.targets.iter();
            let target = targets.find(|target| {
                target.repository == run.repository
                    && target.workflow == run.workflow
                    && (target.old_style || name == Some(target.name.as_str()))
            });
            let target = target.expect("only targets are started").clone();
            let nth = stage.note_start(&target, &run);
            stage.queue(&target, &run).await;
            stage.begin(&run);
            let (late, first): (Vec<_>, Vec<_>) =
                target.jobs_of(nth, 1).into_iter().partition(|job| job.late);
            stage.jobs(&target, &run, first, Duration::ZERO).await;
            let went_well = stage.finish(&run, target.ending(nth, 1));
            let may_repeat = nth == 0 && (stage.scenario.repeats_success || !went_well);
            let Some(rerun_after) = target.rerun_after.filter(|_| may_repeat && !stage.is_ending.get())
            else {
                return;
            };
            let late = spawn_local({
                let (stage, target, run) = (Rc::clone(&stage), target.clone(), run.clone());
                async move { stage.jobs(&target, &run, late, rerun_after).await }
            });
            sleep(rerun_after).await;
            stage.world.rerun(run.id);
            stage.journal().reruns += 1;
            stage.queue(&target, &run).await;
            stage.begin(&run);
            stage.jobs(&target, &run, target.jobs_of(nth, 2), Duration::ZERO).await;
            stage.finish(&run, target.ending(nth, 2));
            late.await.expect("what plays around the steps does not panic");
        }
    }

    /// Notes the state in which a run was started; returns its number among the target's runs, counted from 0.
    fn note_start(&self, target: &Target, run: &Run) -> usize {
        let statuses = self.sky.read_ticket();
        let is_released = |need: &&String| history::released_targets(&statuses).any(|name| name == *need);
        let open_needs = target.needs.iter().filter(|need| !is_released(need));
        let open_needs = open_needs.map(|need| (need.clone(), self.sky.release_time(need))).collect();
        let mut journal = self.journal();
        let runs = journal.starts.entry(target.name.clone()).or_default();
        runs.push(StartedRun {
            run: run.id,
            at: self.world.now(),
            before: runs.last().and_then(|before| self.world.run(before.run)),
            was_bad: statuses.get(&target.name).is_some_and(|status| status.is_bad()),
            open_needs,
        });
        runs.len() - 1
    }

    /// The run is queued. The second half of a long queue is a review.
    async fn queue(&self, target: &Target, run: &Run) {
        if target.queue_time < LONG_QUEUE {
            return sleep(target.queue_time).await;
        }
        sleep(target.queue_time / 2).await;
        let production =
            simulated_github::Environment::new("production").reviewer("dana").reviewer("acme/sre");
        let review = self.world.add_job(run.id, simulated_github::Job::new("review").waiting_for(production));
        sleep(target.queue_time / 2).await;
        self.world.approve(run.id, "production");
        self.world.update_run(run.id, |run| {
            for job in run.jobs.iter_mut().filter(|job| job.id == review && !job.is_completed()) {
                *job = job.clone().conclusion("success");
            }
        });
    }

    /// The run begins, unless it is cancelled.
    fn begin(&self, run: &Run) {
        self.world.update_run(run.id, |run| {
            if !run.is_completed() {
                "in_progress".clone_into(&mut run.status);
            }
        });
    }

    /// Ends the run, unless it is cancelled; returns whether it succeeded.
    fn finish(&self, run: &Run, ending: Ending) -> bool {
        let now = self.world.run(run.id).expect("it was started");
        if now.is_completed() {
            return false;
        }
        let has_job = |word: &str| now.jobs.iter().any(|job| job.conclusion.as_deref() == Some(word));
        let conclusion = match ending {
            Ending::Word(word) => word,
            Ending::OfJobs if has_job("failure") => "failure",
            Ending::OfJobs if has_job("cancelled") => "cancelled",
            Ending::OfJobs => "success",
        };
        self.world.finish_run(run.id, conclusion);
        conclusion == "success"
    }

    async fn jobs(self: &Rc<Self>, target: &Target, run: &Run, jobs: Vec<scenario::Job>, after: Duration) {
        let jobs = jobs.into_iter().map(|job| {
            let (stage, target, run) = (Rc::clone(self), target.clone(), run.clone());
            spawn_local(async move {
                sleep(after + job.at).await;
                stage.job(&target, &run, &job).await;
            })
        });
        for result in join_all(jobs.collect::<Vec<_>>()).await {
            result.expect("what plays around the steps does not panic");
        }
    }

    async fn job(self: &Rc<Self>, target: &Target, run: &Run, job: &scenario::Job) {
        let name = match &job.matrix {
            Some(matrix) => format!("{} ({matrix})", job.id),
            None => job.id.clone(),
        };
        if self.is_cancelled(run) {
            return;
        }
        let id = (!job.late).then(|| self.world.add_job(run.id, simulated_github::Job::new(&name).running()));
        sleep(job.takes).await;
        let conclusion = self.steps(target, run, job, name).await;
        let end = |run: &mut Run| {
            let job = run.jobs.iter_mut().find(|job| Some(job.id) == id && !job.is_completed());
            job.into_iter().for_each(|job| *job = job.clone().conclusion(conclusion));
        };
        self.world.update_run(run.id, end);
    }

    /// Whether the run was cancelled before its end.
    fn is_cancelled(&self, run: &Run) -> bool {
        let run = self.world.run(run.id);
        run.is_some_and(|run| run.is_completed() && run.conclusion.as_deref() == Some("cancelled"))
    }

    /// Plays the steps of a job; returns the conclusion of the job.
    async fn steps(
        self: &Rc<Self>,
        target: &Target,
        run: &Run,
        job: &scenario::Job,
        name: String,
    ) -> &'static str {
        let mut conclusion = "success";
        let by = By { repository: target.repository.clone(), run: run.id, attempt: job.attempt, job: name };
        let temp = self.temp.path().join(format!("{}-{}-{}", by.run, by.attempt, by.job));
        for (index, script) in job.steps.iter().enumerate() {
            // Before the runner has started the next container, GitHub has carried out the requests of a killed one.
            sleep(if index > 0 { script.after + IN_FLIGHT } else { script.after }).await;
            if self.is_cancelled(run) {
                return "cancelled";
            }
            let mut step = self.prepare(by.clone(), target, run, job, script);
            step.temp = job.shares.then(|| temp.clone());
            step.skew = job.skew;
            step.stop = script.killed_after.map(Stop::kill);
            if let StepKind::Report { status, .. } = script.kind {
                conclusion = if status == "in_progress" { "success" } else { status };
            }
            let outcome = self.play_step(target, job, script, step).await;
            if matches!(outcome, Outcome::Killed) && !script.job_survives {
                return "failure";
            }
        }
        conclusion
    }

    fn prepare(
        &self,
        by: By,
        target: &Target,
        run: &Run,
        job: &scenario::Job,
        script: &scenario::Step,
    ) -> Step {
        let mode = match script.kind {
            StepKind::Report { .. } => "report",
            StepKind::Notify { .. } => "notify",
        };
        let mut step = Step::new(by, mode, token_of(&target.repository))
            .input("retry-timeout", self.scenario.weather.retry_timeout);
        step.event = json!({ "inputs": run.inputs });
        let input = |name: &str| run.inputs.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if target.old_style {
            step = step.input("repository", input("reportTo")).input("ticket", input("releaseTicketNumber"));
        }
        if let Some(matrix) = &job.matrix {
            step = step.input("matrix", json!({ "version": matrix }));
        }
        step
    }

    async fn play_step(
        self: &Rc<Self>,
        target: &Target,
        job: &scenario::Job,
        script: &scenario::Step,
        mut step: Step,
    ) -> Outcome {
        let id = self.next_id();
        let by = step.by.clone();
        match &script.kind {
            StepKind::Report { stage, status, done, names_target, text } => {
                step = step
                    .input("stage", stage)
                    .input("status", status)
                    .input("done", done)
                    .input("message", format!("m{id} {text}"));
                if *names_target {
                    step = step.input("target", &target.name);
                }
                if job.new_comments {
                    step = step.input("comment-mode", "new");
                }
                let says = *names_target || !target.old_style;
                let outcome = self.step(step).await;
                self.journal().reports.push(ReportStep {
                    id,
                    by,
                    target: says.then(|| target.name.clone()),
                    stage: stage.clone(),
                    status: status_of(status),
                    new_comment: job.new_comments,
                    outcome: outcome.clone(),
                });
                outcome
            }
            StepKind::Notify { status, fingerprint, update } => {
                let fingerprint =
                    fingerprint.clone().unwrap_or_else(|| format!("{} {}", by.repository, by.job));
                step = step
                    .input("status", status)
                    .input("message", format!("m{id} it broke"))
                    .input("fingerprint", &fingerprint)
                    .input("comment-mode", if *update { "update" } else { "new" });
                let outcome = self.step(step).await;
                self.journal().notices.push(NotifyStep {
                    id,
                    by,
                    fingerprint,
                    status: status_of(status),
                    update: *update,
                    on_ticket: true,
                    outcome: outcome.clone(),
                });
                outcome
            }
        }
    }

    fn nightly(self: &Rc<Self>, nightly: Nightly) -> impl Future<Output = ()> + use<> {
        let stage = Rc::clone(self);
        async move {
            sleep(nightly.at).await;
            let repository = stage.scenario.targets[0].repository.clone();
            let run = stage.world.start_run(&repository, "nightly.yml", "schedule");
            let job = simulated_github::Job::new("tests").conclusion("failure").step("Run tests", "failure");
            stage.world.add_job(run, job);
            let by = By { repository: repository.clone(), run, attempt: 1, job: "tests".to_owned() };
            let id = stage.next_id();
            let step = Step::new(by.clone(), "notify", token_of(&repository))
                .input("status", "failure")
                .input("message", format!("m{id} the nightly failed"))
                .input("fingerprint", "nightly")
                .input("retry-timeout", stage.scenario.weather.retry_timeout)
                .input("comment-mode", if nightly.update { "update" } else { "new" });
            let outcome = stage.step(Step { stop: nightly.killed_after.map(Stop::kill), ..step }).await;
            stage.journal().notices.push(NotifyStep {
                id,
                by,
                fingerprint: "nightly".to_owned(),
                status: Status::Failure,
                update: nightly.update,
                on_ticket: false,
                outcome,
            });
        }
    }

    /// One more report, without a fault, if a step gave up or a person deleted a board.
    async fn epilogue(self: &Rc<Self>) {
        let has_leftovers = {
            let journal = self.journal();
            journal.boards_deleted > 0 || journal.outcomes().any(Outcome::gave_up)
        };
        let Some(ticket) = ticket(&self.world).filter(|_| has_leftovers) else { return };
        let repository = "acme/epilogue".to_owned();
        self.world.repository(&repository);
        let token = self.world.token(&token_of(&repository)).acts_as("acme-report[bot]");
        token.can(HUB, &["issues: write"]);
        let run = self.world.start_run(&repository, "epilogue.yml", "push");
        let by = By { repository: repository.clone(), run, attempt: 1, job: "epilogue".to_owned() };
        let id = self.next_id();
        let mut step = Step::new(by.clone(), "report", token_of(&repository))
            .input("ticket", format!("{HUB}#{ticket}"))
            .input("target", "epilogue")
            .input("status", "success")
            .input("message", format!("m{id} the end"));
        step.calm = true;
        let outcome = self.step(step).await;
        self.journal().reports.push(ReportStep {
            id,
            by,
            target: Some("epilogue".to_owned()),
            stage: "epilogue".to_owned(),
            status: Status::Success,
            new_comment: false,
            outcome,
        });
    }

    // People.

    fn act(self: &Rc<Self>, person: Person) -> impl Future<Output = ()> + use<> {
        let stage = Rc::clone(self);
        async move {
            sleep(person.at).await;
            match person.act {
                Act::FakeTicket => {
                    let body = format!(
                        "<!-- release-ticket:1 ticket {{\"key\":{{\"release\":\"{RELEASE}\"}}}} -->\nMine."
                    );
                    let number = stage.world.issue(HUB, "Release", &body, "mallory");
                    stage.journal().fake_ticket = Some(number);
                    stage.journal().bodies.insert(number, body);
                }
                Act::StartByHand(index) => {
                    let target = &stage.scenario.targets[index];
                    let run =
                        stage.world.start_run(&target.repository, &target.workflow, "workflow_dispatch");
                    stage.world.update_run(run, |run| {
                        "alice".clone_into(&mut run.actor);
                        run.inputs = Map::new();
                    });
                }
                act => {
                    if let Some(ticket) = ticket(&stage.world) {
                        stage.act_on(ticket, &act);
                    }
                }
            }
        }
    }

    fn act_on(&self, ticket: u64, act: &Act) {
        let world = &self.world;
        let issue = world.issue_view(HUB, ticket);
        let edit = |addition: &str| {
            let body = issue.body.replace("\r\n", "\n").replace('\n', "\r\n") + addition;
            world.edit_issue_body(HUB, ticket, &body);
            self.journal().bodies.insert(ticket, body);
        };
        let board = issue.comments.iter().find(|comment| {
            comment.author.ends_with("[bot]") && comment.body.starts_with("<!-- release-ticket:1 board ")
        });
        match act {
            Act::EditBody(number) => edit(&format!("\r\nNote {number}: @alice | <b>ships</b>\r\n- [ ] open")),
            Act::TickBox => edit("\r\n- [x] ticked"),
            Act::EditTitle(number) => {
                let title = format!("Release {RELEASE}, note {number}");
                world.edit_issue_title(HUB, ticket, &title);
                self.journal().titles.insert(ticket, title);
            }
            Act::Label(number) => {
                let label = format!("by-hand-{number}");
                world.label_issue(HUB, ticket, &label);
                self.journal().labels.push((ticket, label));
            }
            Act::Comment(who, text) => {
                let comment = world.comment(HUB, ticket, who, text);
                let comment = PersonComment { comment, body: (*text).to_owned() };
                self.journal().comments.push(comment);
            }
            Act::EditComment(number) => {
                let mut journal = self.journal();
                if let Some(comment) =
                    journal.comments.iter_mut().rfind(|comment| issue.comment(comment.comment).is_some())
                {
                    comment.body += &format!("\r\nedit {number}");
                    world.edit_comment(comment.comment, &comment.body);
                }
            }
            Act::DeleteBoard => {
                if let Some(board) = board {
                    world.delete_comment(HUB, board.id);
                    self.journal().boards_deleted += 1;
                }
            }
            Act::CopyBoard => {
                if let Some(board) = board {
                    let comment = world.comment(HUB, ticket, "alice", &board.body);
                    let comment = PersonComment { comment, body: board.body.clone() };
                    self.journal().comments.push(comment);
                }
            }
            Act::FakeTicket | Act::StartByHand(_) => unreachable!("these acts do not concern the ticket"),
        }
    }
}

fn status_of(word: &str) -> Status {
    Status::ALL.into_iter().find(|status| status.as_str() == word).expect("the scenario knows the words")
}
