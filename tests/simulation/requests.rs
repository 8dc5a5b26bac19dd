//! The number of requests that a hub job needs to wait, counted in paused time.

use std::time::Duration;

use simulated_github::Exchange;

use crate::play::{self, Play};
use crate::say;
use crate::scenario::{Ending, Hub, HubAttempt, Job, Scenario, Target, Wait, Weather};

/// A hub run that waits for so many runs at the same time, each of three jobs and ten minutes.
fn ten_minutes(targets: usize) -> Scenario {
    let job = |id: &str, at: u64, takes: u64| Job {
        id: id.to_owned(),
        matrix: None,
        attempt: 0,
        at: Duration::from_secs(at),
        late: false,
        shares: false,
        new_comments: false,
        skew: 0,
        takes: Duration::from_secs(takes),
        steps: Vec::new(),
    };
    let target = |number: usize| Target {
        name: format!("target-{number}"),
        repository: format!("acme/target-{number}"),
        workflow: "release.yml".to_owned(),
        old_style: false,
        needs: Vec::new(),
        gates: Vec::new(),
        queue_time: Duration::from_secs(20),
        jobs: vec![job("build", 0, 180), job("test", 180, 180), job("publish", 360, 220)],
        rerun_after: None,
        endings: vec![Ending::OfJobs],
    };
    let latency = Duration::from_millis(300);
    Scenario {
        seed: 0,
        weather: Weather { density: 0.0, merciful: true, latency, lag: Duration::ZERO, retry_timeout: "5m" },
        max_parallel: 8,
        has_name: true,
        follows_runs: true,
        repeats_success: false,
        hubs: vec![Hub {
            at: Duration::ZERO,
            attempts: vec![HubAttempt { after: Duration::ZERO, stop: None }],
            insists: false,
            wait: Some(Wait { timeout: "60m", interval: "15s", cancels: false }),
            retries: false,
        }],
        last_hub: None,
        targets: (0..targets).map(target).collect(),
        nightlies: Vec::new(),
        people: Vec::new(),
        steering: None,
    }
}

/// The requests of the hub run after the last start of a run.
fn requests_while_waiting(play: &Play) -> Vec<&Exchange> {
    let starts = play.exchanges.iter().rposition(|exchange| exchange.path.ends_with("/dispatches"));
    play.exchanges[starts.expect("runs were started") + 1..].iter().collect()
}

#[test]
fn ten_minutes_with_twenty_runs_take_a_request_for_each_look_and_most_are_free() {
    let play = play::play(ten_minutes(20), false);
    let [dispatch] = &play.journal.dispatches[..] else { panic!("one hub run") };
    assert!(!dispatch.outcome.gave_up(), "{}", dispatch.outcome);
    let requests = requests_while_waiting(&play);
    let count = |fits: &dyn Fn(&Exchange) -> bool| requests.iter().filter(|exchange| fits(exchange)).count();
    let free_count = count(&|exchange| exchange.status == Some(304));
    let looks = count(&|exchange| exchange.path.contains("/actions/runs/"));
    let lists = count(&|exchange| exchange.method == "GET" && exchange.path.ends_with("/comments"));
    let writes = count(&|exchange| exchange.method != "GET");
    say(&format!(
        "waiting 10 minutes for 20 runs, a look every 15 s: {} requests, {free_count} of them 304 and free; \
         {looks} looks at runs and jobs, {lists} reads of the ticket, {writes} writes; \
         with all before them {}\n",
        requests.len(),
        play.exchanges.len(),
    ));
    // In each of some forty rounds the job looks at each run and reads the ticket; it also asks for each change.
    let rounds = 42;
    assert!(looks <= rounds * 20 + 6 * 20, "{looks} looks");
    assert!(
        requests.len() - free_count <= 3 * rounds + 10 * 20,
        "{} are not free",
        requests.len() - free_count
    );
    assert!(writes <= 3 * rounds, "{writes} writes");
}
