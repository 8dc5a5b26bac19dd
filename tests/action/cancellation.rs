//! The outputs of a step that the runner cancels hold all facts that the step has at that moment.

use std::time::Duration;

use serde_json::Value;
use simulated_github::{Fault, Kind};

use crate::support::{Acme, Outcome, RunningStep, Step};

/// Interrupts `step` as soon as `is_time`, and waits for its end.
async fn interrupt_when(step: RunningStep, mut is_time: impl FnMut() -> bool) -> Outcome {
    while !is_time() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    step.signal("INT");
    let signal_time = std::time::Instant::now();
    let outcome = step.end().await;
    assert!(signal_time.elapsed() < Duration::from_secs(10), "the runner kills after ten seconds");
    outcome
}

/// Delays these requests: half of the time passes before the effect, and half after.
fn delay(acme: &Acme, method: &str, path: &str, seconds: u64) {
    acme.world.fault(Fault::on(method, path).always().then(Kind::Latency(Duration::from_secs(seconds))));
}

/// Whether a request of this kind has arrived.
fn has_arrived(acme: &Acme, method: &str, ending: &str) -> bool {
    acme.world.exchanges().iter().any(|exchange| exchange.method == method && exchange.path.ends_with(ending))
}

fn dispatch(targets: &str) -> Step {
    let step = Step::new("dispatch").run(500).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn results(outcome: &Outcome, key: &str) -> Vec<Value> {
    let results: Vec<Value> = serde_json::from_str(outcome.output("results")).expect("a list");
    results.into_iter().map(|result| result[key].clone()).collect()
}

fn assert_names_ticket(outcome: &Outcome, number: u64) {
    assert_eq!(outcome.output("ticket-number"), number.to_string(), "{}", outcome.log);
    assert!(
        outcome.output("ticket-url").ends_with(&format!("/acme/hub/issues/{number}")),
        "{:?}",
        outcome.outputs
    );
    assert_eq!(outcome.output("ticket-repository"), "acme/hub");
}

#[tokio::test]
async fn a_report_without_time_to_wind_up_has_its_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    delay(&acme, "*", "/repos/acme/hub/issues/*/comments", 60);
    let step = Step::new("report").run(7_001).job("build").share_temp().input("status", "success");
    let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
    let start = std::time::Instant::now();
    let outcome = interrupt_when(step, || start.elapsed() > Duration::from_millis(400)).await;
    outcome.says("there was no time left to say so on the ticket");
    assert_names_ticket(&outcome, ticket);
    assert_eq!((outcome.output("delivered"), outcome.output("comment-id")), ("false", ""));
}

#[tokio::test]
async fn a_report_that_is_cancelled_after_its_record_has_its_comment() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let step = Step::new("report").run(7_001).job("build").share_temp().input("status", "success");
    // The requests for the board and the next edit of the record take too long.
    delay(&acme, "PATCH", "/repos/acme/hub/issues/comments/*", 60);
    let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
    // Half a second later, the answer with the comment has arrived, too.
    let record_time = std::cell::OnceCell::new();
    let is_written = || {
        let has_record = acme.records(ticket).len() == 2;
        has_record && record_time.get_or_init(std::time::Instant::now).elapsed() > Duration::from_millis(500)
    };
    let outcome = interrupt_when(step, is_written).await;
    assert_names_ticket(&outcome, ticket);
    assert_eq!(outcome.output("comment-id"), acme.records(ticket)[1].id.to_string());
    outcome.says("there was no time left");
}

#[tokio::test]
async fn a_notice_without_time_to_wind_up_has_its_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    delay(&acme, "*", "/repos/acme/hub/issues/*/comments", 60);
    let step = Step::new("notify").run(7_001).input("status", "failure");
    let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
    let start = std::time::Instant::now();
    let outcome = interrupt_when(step, || start.elapsed() > Duration::from_millis(400)).await;
    outcome.says("there was no time left to notify");
    assert_names_ticket(&outcome, ticket);
    assert_eq!(outcome.output("delivered"), "false");
}

#[tokio::test]
async fn a_dispatch_that_prepares_has_its_ticket_and_its_targets() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("docs").await;
    delay(&acme, "GET", "/repos/acme/web/**", 60);
    let step = dispatch("web, api").spawn_in(&acme);
    let before = acme.world.exchanges().len();
    // The ticket is found while web does not answer.
    let is_found = || {
        let exchanges = acme.world.exchanges();
        exchanges[before..].iter().any(|exchange| exchange.path.ends_with("/acme/hub/issues"))
    };
    let start = std::time::Instant::now();
    let outcome = interrupt_when(step, || is_found() && start.elapsed() > Duration::from_millis(500)).await;
    outcome.fails().says("the step was cancelled before it was done");
    assert_names_ticket(&outcome, ticket);
    assert_eq!(results(&outcome, "name"), ["web", "api"]);
    assert_eq!(results(&outcome, "status"), ["unknown", "unknown"]);
    assert!(
        results(&outcome, "error")[0]
            .as_str()
            .is_some_and(|error| error.contains("before it read or started the target"))
    );
    assert_eq!(outcome.output("delivered"), "false");
    assert!(acme.world.runs("acme/web").is_empty() && acme.world.runs("acme/api").is_empty());
}

#[tokio::test]
async fn a_dispatch_that_opens_its_ticket_waits_for_it_and_has_its_outputs() {
    for (seconds, knows_ticket) in [(1, true), (60, false)] {
        let acme = Acme::new().await;
        delay(&acme, "POST", "/repos/acme/hub/issues", seconds);
        let step = dispatch("web, api").spawn_in(&acme);
        let start = std::time::Instant::now();
        let is_opening = || {
            // The step has sent all requests before, and the one that opens the ticket takes its time.
            has_arrived(&acme, "GET", "/repos/acme/hub/issues")
                && start.elapsed() > Duration::from_millis(600)
        };
        let outcome = interrupt_when(step, is_opening).await;
        outcome.fails();
        assert_eq!(results(&outcome, "name"), ["web", "api"]);
        assert_eq!(results(&outcome, "status"), ["unknown", "unknown"]);
        assert!(
            results(&outcome, "error")[1]
                .as_str()
                .is_some_and(|error| error.contains("the step was cancelled"))
        );
        assert!(acme.world.runs("acme/web").is_empty() && acme.world.runs("acme/api").is_empty());
        if knows_ticket {
            assert_names_ticket(&outcome, 1);
            assert_eq!(outcome.output("created"), "true");
        } else {
            assert_eq!((outcome.output("ticket-number"), outcome.output("delivered")), ("", "false"));
        }
    }
}

#[tokio::test]
async fn a_dispatch_that_claims_waits_for_its_record_and_gives_the_targets_back() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("docs").await;
    delay(&acme, "POST", "/repos/acme/hub/issues/*/comments", 1);
    let step = dispatch("web, api").spawn_in(&acme);
    // Half of the time passes before the effect, and half after.
    let outcome = interrupt_when(step, || acme.records(ticket).len() == 2).await;
    outcome.fails();
    assert_names_ticket(&outcome, ticket);
    let record = acme.records(ticket).pop().expect("a claim");
    assert_eq!(outcome.output("comment-id"), record.id.to_string());
    assert_eq!(results(&outcome, "status"), ["cancelled", "cancelled"]);
    assert!(record.body.contains("**web** (acme/web): 🚫 cancelled"), "{}", record.body);
    assert_eq!(outcome.output("delivered"), "true");
}
