//! A scenario: everything that is drawn from a seed before the play begins, as a list to read.

use std::fmt;
use std::time::Duration;

use crate::steering::Steering;

/// One release with its jobs, its people and its weather.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
    pub(crate) max_parallel: u32,
    /// Whether the release has a name. Without one, each hub run has a ticket of its own.
    pub(crate) has_name: bool,
    /// Whether hub jobs may follow runs and start failed targets again, and targets may need others.
    pub(crate) follows_runs: bool,
    /// Whether people also re-run successful runs.
    pub(crate) repeats_success: bool,
    pub(crate) hubs: Vec<Hub>,
    /// The hub run after everything else, which waits in good weather and may start failed targets again.
    pub(crate) last_hub: Option<Hub>,
    pub(crate) targets: Vec<Target>,
    pub(crate) nightlies: Vec<Nightly>,
    pub(crate) people: Vec<Person>,
    /// The commands, gates and freezes, if people steer the release.
    pub(crate) steering: Option<Steering>,
}

#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// The share of requests that go wrong.
    pub(crate) density: f64,
    /// Whether a request that went wrong succeeds afterwards, so that the patience of every step suffices.
    pub(crate) merciful: bool,
    pub(crate) latency: Duration,
    /// The greatest age of an answer.
    pub(crate) lag: Duration,
    pub(crate) retry_timeout: &'static str,
}

/// A run of the hub's workflow, with its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    pub(crate) at: Duration,
    pub(crate) attempts: Vec<HubAttempt>,
    /// Whether people re-run it until it no longer fails.
    pub(crate) insists: bool,
    pub(crate) wait: Option<Wait>,
    /// Whether it starts a target again if the target's last run failed.
    pub(crate) retries: bool,
}

/// The inputs of a hub run that waits for the runs it follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) timeout: &'static str,
    pub(crate) interval: &'static str,
    /// Whether a time-out, or its own cancellation, cancels the runs that it has started.
    pub(crate) cancels: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct HubAttempt {
    /// The time since the previous attempt.
    pub(crate) after: Duration,
    pub(crate) stop: Option<Stop>,
}

/// The end of a step by its runner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// Counted from its start.
    pub(crate) after: Duration,
    /// Whether the runner cancels the step, and kills it only if it does not end by itself; otherwise it kills it at once.
    pub(crate) gently: bool,
}

impl Stop {
    pub(crate) fn kill(after: Duration) -> Self {
        Self { after, gently: false }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) repository: String,
    pub(crate) workflow: String,
    /// Whether the workflow takes the inputs of the proof of concept, and no others.
    pub(crate) old_style: bool,
    /// The names of the targets that have to be released before this one.
    pub(crate) needs: Vec<String>,
    /// The names of the gates that have to open before its start.
    pub(crate) gates: Vec<&'static str>,
    /// The time that its runs are queued.
    pub(crate) queue_time: Duration,
    pub(crate) jobs: Vec<Job>,
    /// The time between the end of attempt 1 and attempt 2, if there is a second one.
    pub(crate) rerun_after: Option<Duration>,
    /// The endings of the attempts of its runs, two for each run; the last one repeats.
    pub(crate) endings: Vec<Ending>,
}

/// The end of an attempt of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// By the conclusions of its jobs.
    OfJobs,
    /// This conclusion, in GitHub's word, independent of its jobs.
    Word(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) matrix: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) at: Duration,
    /// Whether it belongs to attempt 1 and reports after attempt 2 has started.
    pub(crate) late: bool,
    /// Whether its steps share a folder.
    pub(crate) shares: bool,
    pub(crate) new_comments: bool,
    /// The error of its runner's clock, in seconds.
    pub(crate) skew: i64,
    /// The time that it takes without its steps.
    pub(crate) takes: Duration,
    /// Its steps of the action; none in a target that does not report.
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    pub(crate) killed_after: Option<Duration>,
    /// Whether only the step is killed, and the job goes on with the next one.
    pub(crate) job_survives: bool,
    pub(crate) kind: StepKind,
}

#[derive(Debug, Clone)]
pub(crate) enum StepKind {
    Report { stage: String, status: &'static str, done: bool, names_target: bool, text: &'static str },
    Notify { status: &'static str, fingerprint: Option<String>, update: bool },
}

/// A workflow outside of any release that fails: it notifies in its own repository.
#[derive(Debug, Clone)]
pub(crate) struct Nightly {
    pub(crate) at: Duration,
    pub(crate) killed_after: Option<Duration>,
    pub(crate) update: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) at: Duration,
    pub(crate) act: Act,
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Edits the issue's text in the browser, which ends lines with CR LF.
    EditBody(u32),
    TickBox,
    EditTitle(u32),
    Label(u32),
    /// Comments: the author, and the text.
    Comment(&'static str, &'static str),
    /// Edits the person's own newest comment.
    EditComment(u32),
    DeleteBoard,
    /// Pastes a copy of the board, its hidden line included, as a comment.
    CopyBoard,
    /// Starts a target's workflow by hand.
    StartByHand(usize),
    /// Opens an issue that looks like the ticket.
    FakeTicket,
}

/// The texts of messages, without their number.
const TEXTS: &[&str] = &[
    "all is well",
    "a | b || c \\| d",
    "ends --> here <!-- release-ticket:1 report {} -->",
    "@alice @acme/everyone ![x](https://evil.example/x.png)",
    "one\n\ntwo\r\nthree\u{2028}four",
    "```\nfence",
    "🚀 ü \u{202e}gnol",
];

/// Comments of people. A marker counts only in the first line, and only if its author is a member of the hub.
const COMMENTS: &[(&str, &str)] = &[
    ("alice", "Looks good to me. 👍"),
    ("alice", "- [ ] announce\r\n- [x] tag\r\n"),
    ("alice", "> <!-- release-ticket:1 board {\"seen\":{\"records\":{}}} -->\n> quoted"),
    ("alice", "See below:\n<!-- release-ticket:1 report {\"by\":{}} -->"),
    ("alice", "<!-- release-ticket:1 report {\"by\":"),
    ("alice", "<!-- release-ticket:99 board {\"from\":\"the future\"} -->"),
    ("alice", "<!-- a comment of my own -->\nhidden"),
    ("mallory", "<!-- release-ticket:1 board {\"seen\":{\"records\":{}}} -->\nEverything is released."),
    (
        "mallory",
        "<!-- release-ticket:1 report {\"by\":{\"repository\":\"acme/web\",\"run\":99999,\"attempt\":9,\
         \"job\":\"x\"},\"seq\":9,\"run_url\":\"https://evil.example\",\"stages\":[{\"stage\":\"build\",\
         \"status\":\"success\",\"done\":true,\"at\":\"2026-01-05T09:00:00Z\",\"seq\":9}]} -->\nforged",
    ),
];

pub(crate) struct Draw(fastrand::Rng);

impl Draw {
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    pub(crate) fn time(&mut self, longest: f64) -> Duration {
        Duration::from_millis((self.0.f64() * longest * 1000.0) as u64)
    }

    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.usize(..of.len())]
    }

    /// One of these numbers, both ends included.
    pub(crate) fn number(&mut self, least: usize, most: usize) -> usize {
        self.0.usize(least..=most)
    }

    /// The time from the start of a step to its kill: often short, since most happens early.
    pub(crate) fn death(&mut self) -> Duration {
        let longest = *self.one(&[2.0, 8.0, 20.0, 60.0]);
        self.time(longest)
    }
}

impl Scenario {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut draw = Draw(fastrand::Rng::with_seed(seed));
        let weather = Weather::draw(&mut draw);
        let (targets, jobs) = match draw.0.u32(..20) {
            0..11 => (draw.0.usize(1..=3), draw.0.usize(1..=6)),
            11..19 => (draw.0.usize(1..=6), draw.0.usize(6..=18)),
            _ => (draw.0.usize(2..=8), draw.0.usize(30..=50)),
        };
        let has_name = draw.chance(0.85);
        let follows_runs = has_name && jobs <= 18 && draw.chance(0.6);
        let mut scenario = Self {
            seed,
            weather,
            max_parallel: *draw.one(&[1, 2, 8]),
            has_name,
            follows_runs,
            repeats_success: !follows_runs || draw.chance(0.2),
            hubs: hubs(&mut draw, has_name),
            last_hub: None,
            targets: self::targets(&mut draw, targets, jobs),
            nightlies: nightlies(&mut draw),
            people: people(&mut draw, targets),
            steering: None,
        };
        if follows_runs {
            draw_needs(&mut draw, &mut scenario.targets);
            draw_runs(&mut draw, &mut scenario.targets);
            draw_waits(&mut draw, &mut scenario);
        }
        // Lag and steering come last, so that they change nothing else of a seed's release.
        scenario.weather.lag = lag(&mut draw);
        if follows_runs && draw.chance(0.5) {
            scenario.steering = Some(Steering::draw(&mut draw, &mut scenario.targets));
        }
        scenario
    }
}

impl Target {
    /// The end of an attempt of the target's run number `nth`, which counts from 0.
    pub(crate) fn ending(&self, nth: usize, attempt: usize) -> Ending {
        let last = self.endings.len() - 1;
        self.endings[(2 * nth + attempt - 1).min(last)]
    }

    /// The jobs of an attempt of the target's run number `nth`. In a second run all jobs succeed.
    pub(crate) fn jobs_of(&self, nth: usize, attempt: u32) -> Vec<Job> {
        let mut jobs: Vec<Job> =
            self.jobs.iter().filter(|job| [0, attempt].contains(&job.attempt)).cloned().collect();
        if nth > 0 {
            for job in &mut jobs {
                job.late = false;
                for step in &mut job.steps {
                    if let StepKind::Report { status, .. } = &mut step.kind
                        && *status != "in_progress"
                    {
                        *status = "success";
                    }
                }
            }
        }
        jobs
    }
}

impl Weather {
    fn draw(draw: &mut Draw) -> Self {
        let latency = Duration::from_millis(*draw.one(&[0, 300, 3_000, 3_000]));
        let calm = Self { density: 0.0, merciful: true, latency, lag: Duration::ZERO, retry_timeout: "5m" };
        match draw.0.u32(..20) {
            0..4 => calm,
            4..15 => Self { density: 0.01 + 0.09 * draw.0.f64(), ..calm },
            15..18 => Self { density: 0.1 + 0.2 * draw.0.f64(), ..calm },
            _ => Self {
                density: 0.2 + 0.4 * draw.0.f64(),
                merciful: false,
                retry_timeout: *draw.one::<&str>(&["20s", "90s", "5m"]),
                ..calm
            },
        }
    }
}

fn lag(draw: &mut Draw) -> Duration {
    let longest = match draw.0.u32(..20) {
        0..12 => 0.0,
        12..16 => 1.0,
        16..19 => 3.0,
        _ => 10.0,
    };
    draw.time(longest)
}

fn hubs(draw: &mut Draw, has_name: bool) -> Vec<Hub> {
    let count = if has_name && draw.chance(0.45) { 2 } else { 1 };
    let apart = *draw.one(&[0.0, 2.0, 30.0, 300.0]);
    (0..count)
        .map(|index| {
            let at = if index == 0 { Duration::ZERO } else { draw.time(apart) };
            let mut attempts = vec![HubAttempt { after: Duration::ZERO, stop: None }];
            while draw.chance(0.35) && attempts.len() < 4 {
                // A re-run after a kill, or a re-run without a reason.
                if draw.chance(0.8) {
                    attempts.last_mut().expect("at least one").stop = Some(Stop::kill(draw.death()));
                }
                let after = Duration::from_secs(4) + draw.time(90.0);
                attempts.push(HubAttempt { after, stop: None });
            }
            if draw.chance(0.04) {
                attempts.last_mut().expect("at least one").stop = Some(Stop::kill(draw.death()));
            }
            Hub { at, attempts, insists: draw.chance(0.7), wait: None, retries: false }
        })
        .collect()
}

fn targets(draw: &mut Draw, count: usize, jobs: usize) -> Vec<Target> {
    const NAMES: [&str; 8] = ["web", "api", "docs", "cli", "sdk", "ios", "mail", "auth"];
    let spread = *draw.one(&[0.0, 5.0, 60.0, 600.0]);
    let mut targets: Vec<Target> = NAMES[..count]
        .iter()
        .map(|name| Target {
            name: (*name).to_owned(),
            repository: format!("acme/{name}"),
            workflow: "release.yml".to_owned(),
            old_style: draw.chance(0.25),
            needs: Vec::new(),
            gates: Vec::new(),
            queue_time: Duration::ZERO,
            jobs: Vec::new(),
            rerun_after: draw
                .chance(0.3)
                .then_some(Duration::from_secs(3))
                .map(|least| least + draw.time(120.0)),
            endings: vec![Ending::OfJobs],
        })
        .collect();
    // Sometimes two targets live in one repository, and sometimes even share a workflow.
    if count > 1 && draw.chance(0.15) {
        let same_workflow = draw.chance(0.3);
        let (first, second) = targets.split_at_mut(1);
        second[0].repository.clone_from(&first[0].repository);
        if same_workflow {
            (first[0].old_style, second[0].old_style) = (false, false);
        } else {
            second[0].workflow = "other.yml".to_owned();
        }
    }
    for index in 0..jobs {
        let target = &mut targets[index % count];
        let job = job(draw, index, target.rerun_after.is_some(), spread);
        target.jobs.push(job);
    }
    targets
}

fn job(draw: &mut Draw, index: usize, has_rerun: bool, spread: f64) -> Job {
    let attempt = if has_rerun && draw.chance(0.4) { 2 } else { 1 };
    let in_matrix = draw.chance(0.25);
    let id = if in_matrix { "test".to_owned() } else { draw.one(&["build", "publish"]).to_string() };
    let mut steps = Vec::new();
    let stage = if draw.chance(0.8) { id.clone() } else { "sign".to_owned() };
    let names_target = draw.chance(0.3);
    let report = |draw: &mut Draw, status: &'static str, done: bool| {
        let text = *draw.one(TEXTS);
        let kind = StepKind::Report { stage: stage.clone(), status, done, names_target, text };
        Step { after: draw.time(40.0), killed_after: None, job_survives: false, kind }
    };
    if draw.chance(0.7) {
        // A job may repair its failure: its last status counts, not the worst.
        let first = if draw.chance(0.2) { "failure" } else { "in_progress" };
        let step = report(draw, first, false);
        steps.push(step);
    }
    let ends = ["success", "success", "success", "failure", "cancelled", "skipped"];
    let (status, done) = (*draw.one(&ends), id == "publish" && draw.chance(0.7));
    let step = report(draw, status, done);
    steps.push(step);
    if draw.chance(0.2) {
        let fingerprint = draw.chance(0.5).then(|| format!("failure {}", draw.0.u32(..2)));
        let status = if draw.chance(0.75) { "failure" } else { "success" };
        let kind = StepKind::Notify { status, fingerprint, update: draw.chance(0.4) };
        steps.push(Step { after: draw.time(10.0), killed_after: None, job_survives: false, kind });
    }
    if draw.chance(0.15) {
        let victim = draw.0.usize(..steps.len());
        steps[victim].killed_after = Some(draw.death());
        steps[victim].job_survives = draw.chance(0.4);
    }
    Job {
        matrix: in_matrix.then(|| format!("v{index}")),
        // A job's id is unique in its workflow, so each one ends with a number.
        id: if in_matrix { id } else { format!("{id}-{index}") },
        attempt,
        at: Duration::from_secs(2) + draw.time(spread),
        late: has_rerun && attempt == 1 && draw.chance(0.3),
        shares: draw.chance(0.8),
        new_comments: draw.chance(0.2),
        skew: if draw.chance(0.3) { draw.0.i64(-30..=30) } else { 0 },
        takes: Duration::ZERO,
        steps,
    }
}

/// Lets targets need earlier ones: in a chain, a diamond, or at random.
fn draw_needs(draw: &mut Draw, targets: &mut [Target]) {
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let (shape, last) = (draw.0.u32(..6), targets.len() - 1);
    for (index, target) in targets.iter_mut().enumerate().skip(1) {
        target.needs = match shape {
            0 => Vec::new(),
            1..3 => vec![names[index - 1].clone()],
            3 if index < last || last == 1 => vec![names[0].clone()],
            3 => names[1..last].to_vec(),
            _ => names[..index].iter().filter(|_| draw.chance(0.4)).cloned().collect(),
        };
    }
}

/// Draws the course of runs that the hub follows; the targets of some of them report nothing.
fn draw_runs(draw: &mut Draw, targets: &mut [Target]) {
    const WORDS: [&str; 9] = [
        "failure",
        "failure",
        "cancelled",
        "timed_out",
        "startup_failure",
        "action_required",
        "stale",
        "neutral",
        "skipped",
    ];
    let slow = *draw.one(&[5.0, 60.0, 300.0]);
    for target in targets {
        target.queue_time = draw.time(20.0);
        let is_silent = draw.chance(0.5);
        if is_silent {
            target.jobs = (0..draw.0.usize(1..=3)).map(|index| silent_job(draw, index, slow)).collect();
        }
        let success = if is_silent { 0.65 } else { 0.0 };
        let mut ending = || match draw.0.f64() {
            chance if chance < success => Ending::Word("success"),
            chance if is_silent || chance > 0.8 => Ending::Word(draw.one::<&str>(&WORDS)),
            _ => Ending::OfJobs,
        };
        target.endings = (0..6).map(|_| ending()).collect();
        target.endings.push(Ending::Word("success"));
    }
}

fn silent_job(draw: &mut Draw, index: usize, slow: f64) -> Job {
    Job {
        id: format!("step-{index}"),
        matrix: None,
        attempt: 0,
        at: draw.time(slow),
        late: false,
        shares: false,
        new_comments: false,
        skew: 0,
        takes: Duration::from_secs(1) + draw.time(slow),
        steps: Vec::new(),
    }
}

/// Lets hub runs wait, and adds hub runs: some at any time, and one at the end.
fn draw_waits(draw: &mut Draw, scenario: &mut Scenario) {
    for _ in 0..draw.0.u32(..3) {
        let at = draw.time(900.0);
        let attempts = vec![HubAttempt { after: Duration::ZERO, stop: None }];
        scenario.hubs.push(Hub { at, attempts, insists: draw.chance(0.5), wait: None, retries: false });
    }
    let wait_chance = *draw.one(&[0.0, 0.5, 0.8, 1.0]);
    for hub in &mut scenario.hubs {
        hub.retries = draw.chance(0.3);
        if !draw.chance(wait_chance) {
            continue;
        }
        hub.wait = Some(Wait {
            timeout: if draw.chance(0.25) { draw.one::<&str>(&["20s", "2m", "8m"]) } else { "3h" },
            interval: draw.one::<&str>(&["15s", "30s", "60s"]),
            cancels: draw.chance(0.4),
        });
        for stop in hub.attempts.iter_mut().filter_map(|attempt| attempt.stop.as_mut()) {
            if draw.chance(0.5) {
                let longest = *draw.one(&[60.0, 300.0, 900.0]);
                stop.after = draw.time(longest);
            }
            stop.gently = draw.chance(0.5);
        }
    }
    let wait = Wait { timeout: "12h", interval: "60s", cancels: false };
    let attempts = vec![HubAttempt { after: Duration::ZERO, stop: None }];
    let retries = draw.chance(0.5);
    scenario.last_hub =
        Some(Hub { at: Duration::from_secs(60), attempts, insists: false, wait: Some(wait), retries });
}

fn nightlies(draw: &mut Draw) -> Vec<Nightly> {
    if !draw.chance(0.3) {
        return Vec::new();
    }
    let apart = *draw.one(&[0.0, 3.0, 90.0]);
    (0..draw.0.usize(1..=3))
        .map(|_| Nightly {
            at: draw.time(apart),
            killed_after: draw.chance(0.15).then(|| draw.death()),
            update: draw.chance(0.5),
        })
        .collect()
}

fn people(draw: &mut Draw, targets: usize) -> Vec<Person> {
    let mut people: Vec<Person> = (0..draw.0.u32(..12))
        .map(|index| {
            let act = match draw.0.u32(..14) {
                0..3 => Act::EditBody(index),
                3..5 => Act::TickBox,
                5 => Act::EditTitle(index),
                6 => Act::Label(index),
                7..11 => {
                    let (who, text) = *draw.one(COMMENTS);
                    Act::Comment(who, text)
                }
                11..13 => Act::EditComment(index),
                _ => Act::StartByHand(draw.0.usize(..targets)),
            };
            Person { at: draw.time(400.0), act }
        })
        .collect();
    if draw.chance(0.08) {
        let longest = *draw.one(&[30.0, 120.0, 400.0]);
        people.push(Person { at: draw.time(longest), act: Act::DeleteBoard });
    }
    if draw.chance(0.05) {
        people.push(Person { at: draw.time(400.0), act: Act::CopyBoard });
    }
    if draw.chance(0.1) {
        people.push(Person { at: Duration::ZERO, act: Act::FakeTicket });
    }
    people.sort_by_key(|person| person.at);
    people
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Weather { density, merciful, latency, lag, retry_timeout } = &self.weather;
        writeln!(
            f,
            "scenario {}: {:.0} % of the requests go wrong{}, latency up to {latency:?}, lag up to {lag:?}, patience {retry_timeout}, \
             {}, max-parallel {}",
            self.seed,
            density * 100.0,
            if *merciful { "" } else { " without mercy" },
            if self.has_name { "a named release" } else { "a release without a name" },
            self.max_parallel
        )?;
        for (index, hub) in self.hubs.iter().enumerate() {
            writeln!(f, "  at {:?} hub run {index}{hub}", hub.at)?;
        }
        self.last_hub.iter().try_for_each(|hub| writeln!(f, "  at the end a hub run{hub}"))?;
        for target in &self.targets {
            let Target {
                name,
                repository,
                workflow,
                old_style,
                needs,
                gates,
                queue_time,
                rerun_after,
                jobs,
                endings,
            } = target;
            write!(f, "  target {name}: {workflow} of {repository}")?;
            write!(f, "{}", if *old_style { " in the old style" } else { "" })?;
            if !needs.is_empty() {
                write!(f, ", needs {}", needs.join(" "))?;
            }
            gates.iter().try_for_each(|gate| write!(f, ", behind {gate}"))?;
            rerun_after.iter().try_for_each(|after| write!(f, ", run again {after:?} after it ended"))?;
            if self.follows_runs {
                write!(f, ", queued {queue_time:?}, ends {endings:?}")?;
            }
            writeln!(f)?;
            jobs.iter().try_for_each(|job| write!(f, "{job}"))?;
        }
        for Nightly { at, killed_after, update } in &self.nightlies {
            writeln!(f, "  at {at:?} a nightly fails, update {update}, killed after {killed_after:?}")?;
        }
        self.people.iter().try_for_each(|person| writeln!(f, "  at {:?} {:?}", person.at, person.act))?;
        self.steering.iter().try_for_each(|steering| write!(f, "{steering}"))
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in &self.attempts {
            write!(f, ", {:?} later an attempt", attempt.after)?;
            if let Some(Stop { after, gently }) = attempt.stop {
                write!(f, " {} after {after:?}", if gently { "cancelled" } else { "killed" })?;
            }
        }
        if let Some(Wait { timeout, interval, cancels }) = self.wait {
            write!(f, ", waits {timeout} and looks every {interval}")?;
            write!(f, "{}", if cancels { ", cancels then" } else { "" })?;
        }
        write!(f, "{}", if self.retries { ", starts again what failed" } else { "" })?;
        write!(f, "{}", if self.insists { ", again if it fails" } else { "" })
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    at {:?} attempt {} {}", self.at, self.attempt, self.id)?;
        self.matrix.iter().try_for_each(|matrix| write!(f, " ({matrix})"))?;
        write!(f, "{}", if self.late { ", late" } else { "" })?;
        write!(f, "{}", if self.shares { "" } else { ", no folder" })?;
        write!(f, "{}", if self.new_comments { ", new comments" } else { "" })?;
        if self.skew != 0 {
            write!(f, ", clock off by {} s", self.skew)?;
        }
        if !self.takes.is_zero() {
            write!(f, ", takes {:?}", self.takes)?;
        }
        writeln!(f)?;
        for step in &self.steps {
            write!(f, "      {:?} later {:?}", step.after, step.kind)?;
            if let Some(after) = step.killed_after {
                let what = if step.job_survives { "the step" } else { "the job" };
                write!(f, " ({what} is killed after {after:?})")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
