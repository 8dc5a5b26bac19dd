//! Answers that ask for patience: GitHub's rate limits, failures that pass, and what GitHub does not
//! show yet.

use std::time::{Duration, Instant};

use simulated_github::{Fault, Kind};

use crate::support::{Acme, Done, Step};

const COMMENTS: &str = "/repos/acme/hub/issues/*/comments";

fn limited(status: u16, retry_after: Option<u64>, reset_in: Option<u64>) -> Kind {
    Kind::RateLimited { status, retry_after, reset_in, secondary: reset_in.is_none() }
}

async fn report_under(acme: &Acme, kind: Kind, retry_timeout: &str) -> (Done, Duration) {
    let ticket = acme.dispatched("web").await;
    acme.world.fault(Fault::on("POST", COMMENTS).then(kind));
    let started = Instant::now();
    let step = Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    (step.input("retry-timeout", retry_timeout).run_in(acme).await, started.elapsed())
}

#[tokio::test]
async fn retry_after_and_the_reset_are_obeyed_and_told() {
    for (kind, at_least) in [
        (limited(403, Some(2), None), 2),
        (limited(429, Some(2), None), 2),
        (limited(403, None, Some(2)), 1),
        (limited(429, None, Some(2)), 1),
    ] {
        let acme = Acme::new().await;
        let (done, took) = report_under(&acme, kind.clone(), "1m").await;
        done.succeeds().says("waiting ").says("rate limit");
        assert_eq!(done.output("delivered"), "true");
        assert_eq!(acme.records(1).len(), 2, "sent again, and once");
        assert!(took >= Duration::from_secs(at_least), "{kind:?} took {took:?}");
    }
}

#[tokio::test]
async fn a_wait_beyond_the_budget_is_not_begun() {
    // Without a time GitHub asks for a minute at least.
    for (kind, said) in [
        (limited(403, Some(3_600), None), "run the job again in 1h"),
        (limited(403, None, None), "raise `retry-timeout`"),
    ] {
        let acme = Acme::new().await;
        let (done, took) = report_under(&acme, kind, "10s").await;
        done.succeeds()
            .says("::warning::cannot report")
            .says("has to wait for GitHub's rate limit")
            .says(said);
        assert_eq!(done.output("delivered"), "false");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[tokio::test]
async fn reads_and_edits_of_the_own_record_are_repeated() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    for (method, path) in [("GET", COMMENTS), ("PATCH", "/repos/acme/hub/issues/comments/*")] {
        for kind in [Kind::StatusBefore(502), Kind::StatusAfter(503), Kind::DropBefore, Kind::DropAfter] {
            acme.world.fault(Fault::on(method, path).then(kind));
        }
    }
    let step = Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    let done = step.run_in(&acme).await;
    done.succeeds().says("trying again");
    assert_eq!(done.output("delivered"), "true");
    assert!(acme.board(ticket).contains("Shows 2 records"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn what_github_does_not_show_yet_is_asked_for_again() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    for (method, path) in
        [("GET", COMMENTS), ("POST", COMMENTS), ("PATCH", "/repos/acme/hub/issues/comments/*")]
    {
        acme.world.fault(Fault::on(method, path).times(2).then(Kind::StatusBefore(404)));
    }
    let step = Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    let done = step.run_in(&acme).await;
    done.succeeds().says("GitHub may not show yet what was just written");
    assert_eq!(done.output("delivered"), "true");
    assert_eq!(acme.records(ticket).len(), 2, "written once");
}
