//! Verification: the hub asks GitHub for the products of a run before its target counts as released.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use simulated_github::{Release, Run};

use crate::support::{Acme, Outcome, Step, until_the_board_says, without_links};

const DIGEST: &str = "sha256:0f3c1d2b0f3c1d2b0f3c1d2b0f3c1d2b0f3c1d2b0f3c1d2b0f3c1d2b0f3c1d2b";

/// The target web, with these lines of the targets file, and docs after it.
async fn acme_with(web: &str) -> Acme {
    let acme = Acme::new().await;
    let file = format!(
        "
defaults: {{ workflow: release.yml }}
targets:
  - repository: web
{}
  - {{ repository: docs, needs: web }}
",
        web.lines().map(|line| format!("    {line}\n")).collect::<String>()
    );
    acme.world.repository("acme/hub").file(".github/release-targets.yml", &file);
    acme.world
        .token("hub-token")
        .can("acme/web", &["actions: write", "contents: read", "attestations: read"]);
    acme
}

fn dispatch(run: u64) -> Step {
    Step::new("dispatch").run(run).input("release", "1.4.0")
}

fn waiting_dispatch(run: u64) -> Step {
    dispatch(run).input("wait", "true").input("wait-interval", "50ms")
}

async fn run_of(acme: &Acme, name: &str) -> Run {
    for _ in 0..2_000 {
        if let Some(run) = acme.world.runs(&format!("acme/{name}")).pop() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{name} was not started:\n{}", acme.world.story());
}

async fn report(acme: &Acme, outputs: &str) {
    let run = run_of(acme, "web").await.id;
    let step =
        Step::new("report").in_repository("acme/web").run(run).job("publish").input("ticket", "acme/hub#1");
    step.input("status", "success").input("outputs", outputs).run_in(acme).await.succeeds();
}

fn results(outcome: &Outcome) -> Vec<Value> {
    serde_json::from_str(outcome.output("results")).expect("JSON")
}

fn was_started(acme: &Acme, name: &str) -> bool {
    !acme.world.runs(&format!("acme/{name}")).is_empty()
}

#[tokio::test]
async fn a_target_is_verified_before_it_counts_as_released_and_before_what_needs_it_starts() {
    let acme = acme_with("verify: { release: \"{{ outputs.web.version }}\", immutable: true }").await;
    let hub = waiting_dispatch(500).spawn_in(&acme);
    report(&acme, "version: v1.4.1").await;
    acme.world.finish_run(run_of(&acme, "web").await.id, "success");
    until_the_board_says(&acme, "🔎\u{a0}verifying").await;
    assert!(!was_started(&acme, "docs"), "{}", acme.world.story());
    acme.world.release("acme/web", Release::new("v1.4.1").immutable());
    acme.world.finish_run(run_of(&acme, "docs").await.id, "success");
    let outcome = hub.end().await;
    outcome.succeeds();
    assert_eq!(results(&outcome)[0]["status"], "released");
    let record = acme.records(1)[0].body.clone();
    assert!(record.contains("🔎 release v1.4.1, immutable"), "{record}");
}

#[tokio::test]
async fn a_release_gives_the_outputs_of_a_target_that_holds_nothing() {
    let acme = acme_with("outputs-from: release").await;
    let hub = waiting_dispatch(500).spawn_in(&acme);
    let run = run_of(&acme, "web").await;
    acme.world.release("acme/web", Release::new("v1.4.1"));
    acme.world.push("acme/web", "main");
    acme.world.release("acme/web", Release::new("v1.5.0-nightly"));
    acme.world.finish_run(run.id, "success");
    acme.world.finish_run(run_of(&acme, "docs").await.id, "success");
    let outcome = hub.end().await;
    outcome.succeeds();
    let outputs = &results(&outcome)[0]["outputs"];
    assert_eq!((&outputs["version"], &outputs["immutable"]), (&json!("v1.4.1"), &json!("false")));
    assert!(
        outputs["url"].as_str().is_some_and(|url| url.ends_with("/acme/web/releases/tag/v1.4.1")),
        "{outputs}"
    );
}

#[tokio::test]
async fn a_check_that_fails_says_what_to_do_and_is_made_again_by_the_next_dispatch() {
    let acme = acme_with("outputs-from: release\nverify: { immutable: true }").await;
    dispatch(500).run_in(&acme).await.succeeds();
    let run = run_of(&acme, "web").await;
    acme.world.release("acme/web", Release::new("v1.4.1"));
    acme.world.finish_run(run.id, "success");
    let outcome = waiting_dispatch(501).run_in(&acme).await;
    outcome.fails().says("web is not verified: the release `v1.4.1` of acme/web can still be changed");
    outcome.says("switch immutable releases on in the repository's settings");
    assert_eq!(results(&outcome)[0]["status"], "failed");
    assert!(!was_started(&acme, "docs"));
    let board = without_links(&acme.board(1));
    let situation: Vec<&str> = board.lines().filter(|line| line.starts_with('>')).collect();
    insta::assert_snapshot!(situation.join("\n"), @"
    > !CAUTION]
    > - **web** is not verified: the release `v1.4.1` of acme/web can still be changed · run
    > - **docs** cannot start: a target that it needs has failed
    >
    > **Next:** for **web**: switch immutable releases on in the repository's settings, and publish the release again; then `alice` runs the hub's workflow again.
    ");
    // A person replaces it by an immutable release.
    acme.world.delete_release("acme/web", "v1.4.1");
    acme.world.release("acme/web", Release::new("v1.4.1").immutable());
    dispatch(502).run_in(&acme).await.succeeds();
    assert!(was_started(&acme, "docs"), "{}", acme.board(1));
    assert!(acme.row(1, "web").contains("✅"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_check_that_the_targets_file_does_not_ask_for_any_more_keeps_nothing() {
    let acme = acme_with("verify: { release: v1.4.1 }").await;
    dispatch(500).run_in(&acme).await.succeeds();
    acme.world.finish_run(run_of(&acme, "web").await.id, "success");
    waiting_dispatch(501).run_in(&acme).await.fails().says("acme/web has no published release `v1.4.1`");
    let file = "{ defaults: { workflow: release.yml }, targets: [web, { repository: docs, needs: web }] }";
    acme.world.repository("acme/hub").file(".github/release-targets.yml", file);
    dispatch(502).run_in(&acme).await.succeeds();
    assert!(was_started(&acme, "docs") && acme.row(1, "web").contains("✅"), "{}", acme.board(1));
}

#[tokio::test]
async fn each_check_of_a_release_says_what_it_found() {
    let cases = [
        (None, "acme/web has no published release `v1.4.1`"),
        (Some(Release::new("v1.4.1").draft()), "acme/web has no published release `v1.4.1`"),
        (Some(Release::new("v1.4.1").at("other")), "the tag `v1.4.1` of acme/web is at"),
    ];
    let cases = cases.map(async |(release, says)| {
        let acme = acme_with("verify: { release: v1.4.1 }").await;
        dispatch(500).run_in(&acme).await.succeeds();
        acme.world.repository("acme/web").branch("other");
        acme.world.push("acme/web", "other");
        if let Some(release) = release {
            acme.world.release("acme/web", release);
        }
        acme.world.finish_run(run_of(&acme, "web").await.id, "success");
        waiting_dispatch(501).run_in(&acme).await.fails().says(says);
    });
    join_all(cases).await;
}

#[tokio::test]
async fn an_attestation_is_present_only_if_it_is_by_the_workflow_and_commit_of_the_run() {
    let other = "no attestation of sha256:0f3c1d2b0f3c is by the workflow of the run";
    let cases = [
        ("release.yml", true, None),
        ("ci.yml", true, Some(other)),
        ("release.yml", false, Some(other)),
        ("", true, Some("acme/web has no attestation of sha256:0f3c1d2b0f3c")),
    ];
    let cases = cases.map(async |(workflow, at_commit, says)| {
        let acme = acme_with("verify: { attestation: \"{{ outputs.web.digest }}\" }").await;
        dispatch(500).run_in(&acme).await.succeeds();
        let run = run_of(&acme, "web").await;
        report(&acme, &format!("digest: {DIGEST}")).await;
        acme.world.finish_run(run.id, "success");
        let commit = if at_commit { acme.world.head("acme/web", "main") } else { "0".repeat(40) };
        if !workflow.is_empty() {
            acme.world.attest("acme/web", DIGEST, workflow, &commit);
        }
        let outcome = dispatch(501).run_in(&acme).await;
        assert_eq!(was_started(&acme, "docs"), says.is_none(), "{workflow}: {}", outcome.log);
        let records: String = acme.records(1).iter().map(|record| record.body.clone()).collect();
        assert!(records.contains(says.unwrap_or("🔎 attestation present")), "{records}");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_refused_question_is_a_failed_check_with_the_permission_that_it_takes() {
    let acme = acme_with("verify: { attestation: \"{{ outputs.web.digest }}\" }").await;
    acme.world.repository("acme/web").private();
    acme.world.token("hub-token").can("acme/web", &["actions: write", "contents: read"]);
    dispatch(500).run_in(&acme).await.succeeds();
    report(&acme, &format!("digest: {DIGEST}")).await;
    acme.world.finish_run(run_of(&acme, "web").await.id, "success");
    let outcome = waiting_dispatch(501).run_in(&acme).await;
    outcome.fails().says("web is not verified").says("attestations: read");
    assert!(!was_started(&acme, "docs"));
}

#[tokio::test]
async fn a_check_of_a_release_that_nobody_names_is_refused() {
    let acme = acme_with("verify: { immutable: true, releases: v1 }\noutputs-from: tag").await;
    let outcome = dispatch(500).run_in(&acme).await;
    outcome.fails().says("`verify` has no key `releases`").says("did you mean `release`?");
    outcome.says("`outputs-from` is `tag`").says("add `release: TAG` to `verify`");
    assert!(!was_started(&acme, "web"));
}
