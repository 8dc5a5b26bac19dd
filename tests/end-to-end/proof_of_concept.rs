//! The proof of concept with this action: the target's workflow keeps its three inputs, and no report starts a run of the
//! hub.

use serde_json::{Value, json};

use crate::acme::{Acme, EndedRuns};
use crate::assert_page;
use crate::examples::Example;

async fn acme(target: &Example) -> Acme {
    let mut acme = Acme::new("proof-of-concept-hub").await;
    acme.target("acme/web", target);
    acme
}

/// Alice starts the hub's workflow, which starts the target's workflow and no other.
async fn release(acme: &Acme, fail_job: bool) -> EndedRuns {
    let inputs = json!({ "targetRepo": "web", "failJob": fail_job.to_string(), "draftRelease": "true" });
    let runs = acme.start("acme/hub", "release.yml", inputs).await;
    let start_count = acme.world.story().lines().filter(|line| line.contains("  started ")).count();
    assert_eq!(start_count, 1, "{}", acme.world.story());
    runs
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn the_pipeline_is_released() {
    let acme = acme(&Example::of("proof-of-concept-target")).await;
    let runs = release(&acme, false).await;

    let hub = runs.of("acme/hub");
    hub.concludes("success").prints("/acme/hub/issues/1 [{\"name\":\"web\"").prints("\"status\":\"started\"");
    assert!(hub.summary.contains("[acme/hub#1](") && hub.summary.contains("**web**"), "{}", hub.summary);
    let run = acme.world.runs("acme/web").remove(0);
    assert_eq!(
        Value::Object(run.inputs),
        json!({ "reportTo": "hub", "releaseTicketNumber": "1", "draftRelease": "true" })
    );
    let target = runs.of("acme/web");
    target.concludes("success").prints("draft: true");
    assert!(
        target.summary.contains("✅ success **web** `publish` reported to [acme/hub#1]("),
        "{}",
        target.summary
    );
    assert_page!("proof-of-concept", acme.ticket());
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_pipeline_that_fails_says_so_and_pings_the_driver() {
    let target = Example::of("proof-of-concept-target").with_failing("Build and test");
    let acme = acme(&target).await;
    let runs = release(&acme, false).await;
    runs.of("acme/hub").concludes("success");
    runs.of("acme/web").concludes("failure");
    assert_page!("proof-of-concept-fails", acme.ticket());
    assert_eq!(acme.world.issues("acme/web"), [], "the failure is on the ticket");
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_hub_job_that_fails_after_the_start_says_so_on_its_ticket() {
    let acme = acme(&Example::of("proof-of-concept-target")).await;
    let runs = release(&acme, true).await;
    runs.of("acme/hub").concludes("failure");
    runs.of("acme/web").concludes("success");
    assert_page!("proof-of-concept-hub-fails", acme.ticket());
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn started_by_hand_a_pipeline_that_fails_says_so_in_its_own_repository() {
    let target = Example::of("proof-of-concept-target").with_failing("Build and test");
    let acme = acme(&target).await;
    let inputs = json!({ "reportTo": "", "releaseTicketNumber": "-1", "draftRelease": "true" });
    let runs = acme.start("acme/web", "main.yml", inputs).await;
    let target = runs.of("acme/web").concludes("failure");
    target.prints("there is no release ticket, so build (failure) is not reported");
    let issues = acme.world.issues("acme/web");
    let [issue] = &issues[..] else { panic!("one issue: {issues:#?}") };
    assert_page!("proof-of-concept-by-hand", issue);
    assert_eq!(acme.world.issues("acme/hub"), []);
}
