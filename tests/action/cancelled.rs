//! The outputs of a step that the runner cancels: whatever is known by then.

use std::time::Duration;

use serde_json::Value;
use simulated_github::{Fault, Kind};

use crate::support::{Acme, Done, Running, Step};

/// Interrupts `step` as soon as this is true of the world, and waits for its end.
async fn interrupt_when(step: Running, mut is_time: impl FnMut() -> bool) -> Done {
    while !is_time() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    step.signal("INT");
    let asked = std::time::Instant::now();
    let done = step.end().await;
    assert!(asked.elapsed() < Duration::from_secs(10), "the runner kills after ten seconds");
    done
}

/// Lets these requests take so long, half of it before the effect.
fn slow(acme: &Acme, method: &str, path: &str, seconds: u64) {
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

fn results(done: &Done, key: &str) -> Vec<Value> {
    let results: Vec<Value> = serde_json::from_str(done.output("results")).expect("a list");
    results.into_iter().map(|result| result[key].clone()).collect()
}

fn names_ticket(done: &Done, number: u64) {
    assert_eq!(done.output("ticket-number"), number.to_string(), "{}", done.log);
    assert!(done.output("ticket-url").ends_with(&format!("/acme/hub/issues/{number}")), "{:?}", done.outputs);
    assert_eq!(done.output("ticket-repository"), "acme/hub");
}

#[tokio::test]
async fn a_report_without_time_to_wind_up_has_its_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    slow(&acme, "*", "/repos/acme/hub/issues/*/comments", 60);
    let step = Step::new("report").run(7_001).job("build").share_temp().input("status", "success");
    let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
    let started = std::time::Instant::now();
    let done = interrupt_when(step, || started.elapsed() > Duration::from_millis(400)).await;
    done.says("there was no time left to say so on the ticket");
    names_ticket(&done, ticket);
    assert_eq!((done.output("delivered"), done.output("comment-id")), ("false", ""));
}

#[tokio::test]
async fn a_report_that_is_cancelled_behind_its_record_has_its_comment() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    let step = Step::new("report").run(7_001).job("build").share_temp().input("status", "success");
    // The board and the second word of the report take too long.
    slow(&acme, "PATCH", "/repos/acme/hub/issues/comments/*", 60);
    let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
    // By then the answer with the comment has arrived, too.
    let written = std::cell::OnceCell::new();
    let is_written = || {
        let has_record = acme.records(ticket).len() == 2;
        has_record && written.get_or_init(std::time::Instant::now).elapsed() > Duration::from_millis(500)
    };
    let done = interrupt_when(step, is_written).await;
    names_ticket(&done, ticket);
    assert_eq!(done.output("comment-id"), acme.records(ticket)[1].id.to_string());
    done.says("there was no time left");
}

#[tokio::test]
async fn a_notice_without_time_to_wind_up_has_its_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    slow(&acme, "*", "/repos/acme/hub/issues/*/comments", 60);
    let step = Step::new("notify").run(7_001).input("status", "failure");
    let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
    let started = std::time::Instant::now();
    let done = interrupt_when(step, || started.elapsed() > Duration::from_millis(400)).await;
    done.says("there was no time left to notify");
    names_ticket(&done, ticket);
    assert_eq!(done.output("delivered"), "false");
}

#[tokio::test]
async fn a_dispatch_that_prepares_has_its_ticket_and_its_targets() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("docs").await;
    slow(&acme, "GET", "/repos/acme/web/**", 60);
    let step = dispatch("web, api").spawn_in(&acme);
    let listed = acme.world.exchanges().len();
    // The ticket is found while web does not answer.
    let is_found = || {
        let exchanges = acme.world.exchanges();
        exchanges[listed..].iter().any(|exchange| exchange.path.ends_with("/acme/hub/issues"))
    };
    let started = std::time::Instant::now();
    let done = interrupt_when(step, || is_found() && started.elapsed() > Duration::from_millis(500)).await;
    done.fails().says("the step was cancelled before it was done");
    names_ticket(&done, ticket);
    assert_eq!(results(&done, "name"), ["web", "api"]);
    assert_eq!(results(&done, "status"), ["unknown", "unknown"]);
    assert!(results(&done, "error")[0].as_str().is_some_and(|error| error.contains("has not started it")));
    assert_eq!(done.output("delivered"), "false");
    assert!(acme.world.runs("acme/web").is_empty() && acme.world.runs("acme/api").is_empty());
}

#[tokio::test]
async fn a_dispatch_that_opens_its_ticket_waits_for_it_and_has_its_outputs() {
    for (seconds, knows) in [(1, true), (60, false)] {
        let acme = Acme::new().await;
        slow(&acme, "POST", "/repos/acme/hub/issues", seconds);
        let step = dispatch("web, api").spawn_in(&acme);
        let started = std::time::Instant::now();
        let is_opening = || {
            // It has asked for all that comes before, and the ticket takes its time.
            has_arrived(&acme, "GET", "/repos/acme/hub/issues")
                && started.elapsed() > Duration::from_millis(600)
        };
        let done = interrupt_when(step, is_opening).await;
        done.fails();
        assert_eq!(results(&done, "name"), ["web", "api"]);
        assert_eq!(results(&done, "status"), ["unknown", "unknown"]);
        assert!(
            results(&done, "error")[1].as_str().is_some_and(|error| error.contains("the step was cancelled"))
        );
        assert!(acme.world.runs("acme/web").is_empty() && acme.world.runs("acme/api").is_empty());
        if knows {
            names_ticket(&done, 1);
            assert_eq!(done.output("created"), "true");
        } else {
            assert_eq!((done.output("ticket-number"), done.output("delivered")), ("", "false"));
        }
    }
}

#[tokio::test]
async fn a_dispatch_that_claims_waits_for_its_record_and_gives_the_targets_back() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("docs").await;
    slow(&acme, "POST", "/repos/acme/hub/issues/*/comments", 1);
    let step = dispatch("web, api").spawn_in(&acme);
    // Half of the time passes before the effect, and half after.
    let done = interrupt_when(step, || acme.records(ticket).len() == 2).await;
    done.fails();
    names_ticket(&done, ticket);
    let record = acme.records(ticket).pop().expect("a claim");
    assert_eq!(done.output("comment-id"), record.id.to_string());
    assert_eq!(results(&done, "status"), ["cancelled", "cancelled"]);
    assert!(record.body.contains("**web** (acme/web): 🚫 cancelled"), "{}", record.body);
    assert_eq!(done.output("delivered"), "true");
}
