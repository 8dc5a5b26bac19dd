//! Claims by git references: one job starts a target, even if lists lag.

use std::time::Duration;

use crate::support::{Acme, Step};

async fn acme() -> Acme {
    let acme = Acme::new().await;
    acme.world.token("hub-token").can("acme/hub", &["contents: write"]);
    acme
}

fn dispatch(run: u64) -> Step {
    Step::new("dispatch")
        .run(run)
        .variable("GITHUB_SHA", "c0ffee5ca1ab1ec0ffee5ca1ab1ec0ffee5ca1ab")
        .input("targets", "web")
        .input("workflow", "release.yml")
        .input("release", "1.4.0")
        .input("claim", "ref")
}

#[tokio::test]
async fn a_target_is_claimed_by_a_reference_that_is_kept_until_the_ticket_is_closed() {
    let acme = acme().await;
    let step =
        dispatch(1).input("wait", "true").input("wait-interval", "50ms").input("close-on-success", "true");
    let step = step.spawn_in(&acme);
    while acme.world.runs("acme/web").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refs = || acme.world.refs("acme/hub").into_iter().filter(|name| name.contains("release-ticket"));
    assert_eq!(refs().collect::<Vec<_>>(), ["refs/release-ticket/1/web/0-0"]);
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    step.end().await.succeeds();
    assert!(!acme.world.issue_view("acme/hub", 1).is_open());
    assert_eq!(refs().count(), 0);
}

#[tokio::test]
async fn a_missing_permission_for_references_is_reported_and_nothing_starts() {
    let acme = Acme::new().await;
    let outcome = dispatch(1).run_in(&acme).await;
    outcome.fails().says("cannot start web").says("`contents: write`").says("acme/hub");
    assert!(acme.world.runs("acme/web").is_empty());
}

#[tokio::test]
async fn two_jobs_that_do_not_see_each_other_start_a_target_once() {
    let acme = acme().await;
    let ticket = acme.world.issue("acme/hub", "Release 1.4.0", "Ready?", "alice");
    let runs = [(); 2].map(|()| acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch"));
    acme.world.advance(Duration::from_secs(60));
    acme.world.lag_shows_own_writes(true);
    acme.world.lag(|method, path| {
        let is_of_hub = method == "GET" && path.contains("/acme/hub/issues");
        if is_of_hub { Duration::from_secs(8) } else { Duration::ZERO }
    });
    // Each session reads its own writes, and two tokens are two sessions.
    let other_token = acme.world.token("another-hub-token").acts_as("acme-release[bot]");
    let other_token = other_token.can("acme/hub", &["issues: write", "actions: read", "contents: write"]);
    other_token.can("acme/web", &["actions: write", "contents: read"]);
    let tokens = ["hub-token", "another-hub-token"].into_iter();
    let steps = runs
        .into_iter()
        .zip(tokens)
        .map(|(run, token)| dispatch(run).input("ticket", ticket).input("token", token).spawn_in(&acme));
    for step in steps.collect::<Vec<_>>() {
        step.end().await.succeeds();
    }
    assert_eq!(acme.world.runs("acme/web").len(), 1, "{}", acme.world.story());
    assert_eq!(acme.board(ticket).matches("🕓 queued").count(), 1, "{}", acme.board(ticket));
}

#[tokio::test]
async fn a_run_of_another_repository_cannot_claim_by_references_of_the_hub() {
    let acme = acme().await;
    let outcome = dispatch(1).in_repository("acme/web").input("repository", "acme/hub").run_in(&acme).await;
    outcome.fails().says("`claim: ref` needs a commit of acme/hub");
}
