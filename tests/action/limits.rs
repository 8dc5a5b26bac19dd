//! Answers that ask for patience: GitHub's rate limits, failures that pass, and things that GitHub does
//! not show yet.

use std::time::{Duration, Instant};

use simulated_github::{Fault, Kind};

use crate::support::{Acme, Outcome, Step};

const COMMENTS: &str = "/repos/acme/hub/issues/*/comments";

fn rate_limit(status: u16, retry_after: Option<u64>, reset_in: Option<u64>) -> Kind {
    Kind::RateLimited { status, retry_after, reset_in, secondary: reset_in.is_none() }
}

async fn report_under(acme: &Acme, kind: Kind, retry_timeout: &str) -> (Outcome, Duration) {
    let ticket = acme.dispatch("web").await;
    acme.world.fault(Fault::on("POST", COMMENTS).then(kind));
    let start = Instant::now();
    let step = Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    (step.input("retry-timeout", retry_timeout).run_in(acme).await, start.elapsed())
}

#[tokio::test]
async fn retry_after_and_the_reset_are_obeyed_and_reported() {
    for (kind, at_least) in [
        (rate_limit(403, Some(2), None), 2),
        (rate_limit(429, Some(2), None), 2),
        (rate_limit(403, None, Some(2)), 1),
        (rate_limit(429, None, Some(2)), 1),
    ] {
        let acme = Acme::new().await;
        let (outcome, took) = report_under(&acme, kind.clone(), "1m").await;
        outcome.succeeds().says("waiting ").says("rate limit");
        assert_eq!(outcome.output("delivered"), "true");
        assert_eq!(acme.records(1).len(), 2, "sent again, and once");
        assert!(took >= Duration::from_secs(at_least), "{kind:?} took {took:?}");
    }
}

#[tokio::test]
async fn a_wait_beyond_the_budget_is_not_begun() {
    // Without a time, GitHub asks for at least a minute.
    for (kind, help) in [
        (rate_limit(403, Some(3_600), None), "run the job again in 1h"),
        (rate_limit(403, None, None), "raise `retry-timeout`"),
    ] {
        let acme = Acme::new().await;
        let (outcome, took) = report_under(&acme, kind, "10s").await;
        outcome
            .succeeds()
            .says("::warning::cannot report")
            .says("has to wait for GitHub's rate limit")
            .says(help);
        assert_eq!(outcome.output("delivered"), "false");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[tokio::test]
async fn reads_and_edits_of_the_own_record_are_repeated() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for (method, path) in [("GET", COMMENTS), ("PATCH", "/repos/acme/hub/issues/comments/*")] {
        for kind in [Kind::StatusBefore(502), Kind::StatusAfter(503), Kind::DropBefore, Kind::DropAfter] {
            acme.world.fault(Fault::on(method, path).then(kind));
        }
    }
    let step = Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    let outcome = step.run_in(&acme).await;
    outcome.succeeds().says("trying again");
    assert_eq!(outcome.output("delivered"), "true");
    assert!(acme.board(ticket).contains("Shows 2 records"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn a_thing_that_github_does_not_show_yet_is_asked_for_again() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for (method, path) in
        [("GET", COMMENTS), ("POST", COMMENTS), ("PATCH", "/repos/acme/hub/issues/comments/*")]
    {
        acme.world.fault(Fault::on(method, path).times(2).then(Kind::StatusBefore(404)));
    }
    let step = Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    let outcome = step.run_in(&acme).await;
    outcome.succeeds().says("GitHub's answer may not show recent writes yet");
    assert_eq!(outcome.output("delivered"), "true");
    assert_eq!(acme.records(ticket).len(), 2, "written once");
}
