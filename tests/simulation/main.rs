//! Whole releases on a simulated GitHub, drawn from seeds: the real modes in one process, under
//! paused time, on bad days.
//!
//! ```text
//! seed ──► scenario ──► play ──► invariants
//!            drawn        modes, network, people
//! ```
//!
//! `SIMULATION_SEEDS` says how many seeds are played, and `SIMULATION_FIRST` from which one on;
//! `SIMULATION_SEED` plays one of them with its log. The answers of some seeds
//! are old, as those of replicas that lag.

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
use play::Played;
use scenario::Scenario;
use simulated_github::conformance::Description;

/// What the seeds of a test came to.
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
    fn add(&mut self, played: &Played) {
        self.seeds += 1;
        self.requests += played.exchanges.len();
        let Faults(faults) = &played.faults;
        for (kind, count) in faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (what, count) in played.journal.counts() {
            *self.counts.entry(what).or_default() += count;
        }
        self.most_creations_a_minute = self.most_creations_a_minute.max(played.most_creations_a_minute());
    }

    fn tell(&self) -> String {
        let listed = |counts: &BTreeMap<&str, u64>| {
            counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{} seeds, {} requests, {} contents created in the worst minute\n{}\nfaults: {}\n",
            self.seeds,
            self.requests,
            self.most_creations_a_minute,
            listed(&self.counts),
            listed(&self.faults),
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

/// GitHub's own description of its API, where `GITHUB_OPENAPI` names its file.
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

/// Plays one seed and checks what became of it.
fn try_seed(seed: u64, log: bool) -> (Option<Played>, Result<(), String>) {
    let scenario = Scenario::draw(seed);
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| play::play(scenario.clone(), log)));
    let Ok(played) = played else {
        let told = "the play itself panicked; the message is above";
        return (None, Err(format!("seed {seed}: {told}\n\n{scenario}")));
    };
    let broken = match std::panic::catch_unwind(AssertUnwindSafe(|| invariants::broken(&played))) {
        Ok(broken) => broken,
        Err(_) => vec!["an invariant panicked; the message is above".to_owned()],
    };
    if broken.is_empty() {
        return (Some(played), Ok(()));
    }
    let told = format!(
        "seed {seed}: {} broken\n  - {}\n\n{scenario}\n{played}\nreplay with its log: SIMULATION_SEED={seed} \
         cargo test --test simulation\n",
        broken.len(),
        broken.join("\n  - "),
    );
    (Some(played), Err(told))
}

/// Plays seeds on every processor; a seed has a runtime and a thread of its own while it lasts.
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
                    let (played, checked) = try_seed(*seed, log);
                    let mut figures = figures.lock().expect("no thread panics while it adds");
                    if let Some(played) = &played {
                        figures.add(played);
                    }
                    if let (true, Some(played)) = (log, &played) {
                        say(&format!("{}\n{played}\n", played.scenario));
                    }
                    if let Err(told) = checked {
                        figures.failures.insert(*seed, told);
                    }
                }
            });
        }
    });
    figures.into_inner().expect("no thread panics while it adds")
}

/// What was broken, without the rest.
fn first_lines(seed: u64, told: &str) -> String {
    let broken: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
    match &broken[..] {
        [] => told.lines().next().unwrap_or_default().to_owned(),
        broken => broken.iter().map(|line| format!("{seed}: {line}")).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn every_release_keeps_its_promises_on_bad_days() {
    const FAILURES_TOLD: usize = 3;
    let seeds: Vec<u64> = match variable("SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = variable("SIMULATION_FIRST").unwrap_or(0);
            (first..first + variable("SIMULATION_SEEDS").unwrap_or(200)).collect()
        }
    };
    let figures = play_seeds(&seeds, variable("SIMULATION_SEED").is_some());
    say(&figures.tell());
    if figures.failures.is_empty() {
        return;
    }
    let seeds: Vec<String> = figures.failures.keys().map(u64::to_string).collect();
    let told: Vec<&str> = figures.failures.values().take(FAILURES_TOLD).map(String::as_str).collect();
    let kinds: Vec<String> = figures.failures.iter().map(|(seed, told)| first_lines(*seed, told)).collect();
    panic!("seeds that failed: {}\n{}\n\n{}", seeds.join(" "), kinds.join("\n"), told.join("\n"));
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [1, 7, 12] {
        let [first, again] = [(), ()].map(|()| play::play(Scenario::draw(seed), false));
        assert_eq!(first.world.story(), again.world.story(), "seed {seed}");
        assert_eq!(first.to_string(), again.to_string(), "seed {seed}");
    }
}
