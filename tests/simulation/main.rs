//! Whole releases on a simulated GitHub, drawn from seeds: the real modes in one process, under
//! paused time, on bad days.
//!
//! ```text
//! seed ──► scenario ──► play ──► invariants
//!            drawn        modes, network, people
//! ```
//!
//! `SIMULATION_SEEDS` is the number of seeds, and `SIMULATION_FIRST` the first of them; `SIMULATION_SEED` plays one seed
//! and prints its log. In some seeds GitHub's answers are old, like those of replicas that lag.

mod history;
mod invariants;
mod journal;
#[path = "../simulated-github/src/conformance/json_schema.rs"]
mod json_schema;
mod network;
mod pace;
mod play;
mod requests;
mod scenario;
mod steering;
mod witness;
mod words;

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use network::Faults;
use play::Play;
use scenario::Scenario;
use simulated_github::conformance::Description;

/// The sums over the seeds of a test.
#[derive(Default)]
struct Figures {
    seeds: u64,
    requests: usize,
    faults: BTreeMap<&'static str, u64>,
    counts: BTreeMap<&'static str, u64>,
    most_creations_a_minute: usize,
    failures: BTreeMap<u64, String>,
}

impl Figures {
    fn add(&mut self, play: &Play) {
        self.seeds += 1;
        self.requests += play.exchanges.len();
        let Faults(faults) = &play.faults;
        for (kind, count) in faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (name, count) in play.journal.counts() {
            *self.counts.entry(name).or_default() += count;
        }
        self.most_creations_a_minute = self.most_creations_a_minute.max(play.most_creations_a_minute());
    }

    fn summary(&self) -> String {
        let list = |counts: &BTreeMap<&str, u64>| {
            counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{} seeds, {} requests, {} contents created in the worst minute\n{}\nfaults: {}\n",
            self.seeds,
            self.requests,
            self.most_creations_a_minute,
            list(&self.counts),
            list(&self.faults),
        )
    }
}

fn say(text: &str) {
    // Nothing is left to be done if standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
    let value = std::env::var_os(name)?;
    Some(value.to_str().and_then(|text| text.parse().ok()).expect("a SIMULATION_ variable is a number"))
}

/// GitHub's own description of its API, if `GITHUB_OPENAPI` names its file.
fn description() -> Option<&'static Description> {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
    let path = || std::env::var_os("GITHUB_OPENAPI");
    let load = || {
        path().map(|path| {
            Description::load(path, json_schema::compile).expect("GITHUB_OPENAPI names GitHub's description")
        })
    };
    DESCRIPTION.get_or_init(load).as_ref()
}

/// Plays one seed and checks the result; an error is the report for a person.
fn try_seed(seed: u64, log: bool) -> (Option<Play>, Result<(), String>) {
    let scenario = Scenario::draw(seed);
    let play = std::panic::catch_unwind(AssertUnwindSafe(|| play::play(scenario.clone(), log)));
    let Ok(play) = play else {
        let report = "the play itself panicked; the message is above";
        return (None, Err(format!("seed {seed}: {report}\n\n{scenario}")));
    };
    let violations = match std::panic::catch_unwind(AssertUnwindSafe(|| invariants::violations(&play))) {
        Ok(violations) => violations,
        Err(_) => vec!["an invariant panicked; the message is above".to_owned()],
    };
    if violations.is_empty() {
        return (Some(play), Ok(()));
    }
    let report = format!(
        "seed {seed}: {} violations\n  - {}\n\n{scenario}\n{play}\nreplay with its log: SIMULATION_SEED={seed} \
         cargo test --test simulation\n",
        violations.len(),
        violations.join("\n  - "),
    );
    (Some(play), Err(report))
}

/// Plays seeds on every processor, each with a runtime and a thread of its own.
fn play_seeds(seeds: &[u64], log: bool) -> Figures {
    let next = AtomicU64::new(0);
    let figures = Mutex::new(Figures::default());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(seeds.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
                    .ok()
                    .and_then(|index| seeds.get(index))
                {
                    let (play, result) = try_seed(*seed, log);
                    let mut figures = figures.lock().expect("no thread panics while it adds");
                    if let Some(play) = &play {
                        figures.add(play);
                    }
                    if let (true, Some(play)) = (log, &play) {
                        say(&format!("{}\n{play}\n", play.scenario));
                    }
                    if let Err(report) = result {
                        figures.failures.insert(*seed, report);
                    }
                }
            });
        }
    });
    figures.into_inner().expect("no thread panics while it adds")
}

/// The violations of a report, without the rest.
fn first_lines(seed: u64, report: &str) -> String {
    let violations: Vec<&str> = report.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
    match &violations[..] {
        [] => report.lines().next().unwrap_or_default().to_owned(),
        violations => violations.iter().map(|line| format!("{seed}: {line}")).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn every_release_keeps_its_promises_on_bad_days() {
    const REPORT_LIMIT: usize = 3;
    let seeds: Vec<u64> = match variable("SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = variable("SIMULATION_FIRST").unwrap_or(0);
            (first..first + variable("SIMULATION_SEEDS").unwrap_or(200)).collect()
        }
    };
    let figures = play_seeds(&seeds, variable("SIMULATION_SEED").is_some());
    say(&figures.summary());
    if figures.failures.is_empty() {
        return;
    }
    let seeds: Vec<String> = figures.failures.keys().map(u64::to_string).collect();
    let reports: Vec<&str> = figures.failures.values().take(REPORT_LIMIT).map(String::as_str).collect();
    let kinds: Vec<String> =
        figures.failures.iter().map(|(seed, report)| first_lines(*seed, report)).collect();
    panic!("seeds that failed: {}\n{}\n\n{}", seeds.join(" "), kinds.join("\n"), reports.join("\n"));
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [1, 7, 12] {
        let [first, again] = [(), ()].map(|()| play::play(Scenario::draw(seed), false));
        assert_eq!(first.world.story(), again.world.story(), "seed {seed}");
        assert_eq!(first.to_string(), again.to_string(), "seed {seed}");
    }
}
