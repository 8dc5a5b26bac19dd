//! Ends of runs that GitHub shows late, or never.

use serde_json::{Value, json};
use simulated_github::Job;

use crate::support::{Acme, Outcome, RunningStep, Step, until_the_board_says, wait_for_run};

/// A dispatch of web by this run of the hub.
fn dispatch(run: u64) -> Step {
    let step = Step::new("dispatch").run(run).input("targets", "web").input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn spawn_waiting(acme: &Acme, run: u64) -> RunningStep {
    dispatch(run).input("wait", "true").input("wait-interval", "50ms").spawn_in(acme)
}

async fn run_of_web(acme: &Acme) -> u64 {
    wait_for_run(acme, "acme/web", |runs| runs.into_iter().next()).await.id
}

fn runs(acme: &Acme) -> usize {
    acme.world.runs("acme/web").len()
}

/// The values of these keys of the target in `results`.
fn result(outcome: &Outcome, keys: [&str; 3]) -> [Value; 3] {
    let results: Value = serde_json::from_str(outcome.output("results")).expect("JSON");
    keys.map(|key| results[0][key].clone())
}

const KEYS: [&str; 3] = ["status", "conclusion", "error"];

/// Makes the start of the run older than a minute, so that no replica lacks the run any more.
fn pass_a_minute(acme: &Acme) {
    for record in acme.records(1) {
        let earlier = |text: &str| {
            let at = text.split('"').next().expect("a time");
            let at: chrono::DateTime<chrono::Utc> = at.parse().expect("a time");
            (at - chrono::TimeDelta::minutes(5)).to_rfc3339()
        };
        let mut parts = record.body.split("\"at\":\"");
        let mut body = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (_, rest) = part.split_once('"').expect("a time ends");
            body.push_str(&format!("\"at\":\"{}\"{rest}", earlier(part)));
        }
        acme.world.edit_comment(record.id, &body);
    }
}

#[tokio::test]
async fn a_run_that_has_ended_without_a_conclusion_is_waited_for_until_github_says_how() {
    let acme = Acme::new().await;
    let step = spawn_waiting(&acme, 500);
    let run = run_of_web(&acme).await;
    acme.world.add_job(run, Job::new("publish").running());
    acme.world.end_run(run);
    until_the_board_says(&acme, "GitHub does not say how it ended").await;
    assert!(acme.row(1, "web").contains("🔄 in progress"), "{}", acme.row(1, "web"));
    acme.world.finish_run(run, "success");
    let outcome = step.end().await;
    outcome.succeeds();
    assert_eq!(result(&outcome, KEYS), [json!("released"), json!("success"), Value::Null]);
    assert!(acme.row(1, "web").contains("✅ released"), "{}", acme.row(1, "web"));
}

#[tokio::test]
async fn a_dispatch_that_does_not_wait_takes_back_an_unknown_end_when_the_next_one_knows_it() {
    let acme = Acme::new().await;
    dispatch(500).run_in(&acme).await.succeeds();
    let run = run_of_web(&acme).await;
    acme.world.add_job(run, Job::new("publish").conclusion("success"));
    acme.world.end_run(run);
    let outcome = dispatch(501).input("retry-failed", "true").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(result(&outcome, KEYS)[..2], [json!("unknown"), Value::Null]);
    assert!(!outcome.log.contains("set `retry-failed: true`"), "{}", outcome.log);
    acme.world.finish_run(run, "success");
    // The earlier hub run then knows more than the later one.
    for hub_run in [499, 501] {
        let outcome = dispatch(hub_run).input("retry-failed", "true").attempt(2).run_in(&acme).await;
        outcome.succeeds();
        assert_eq!(result(&outcome, KEYS)[..2], [json!("released"), json!("success")]);
    }
    assert!(acme.row(1, "web").contains("✅ released"), "{}", acme.row(1, "web"));
    assert_eq!(runs(&acme), 1);
}

#[tokio::test]
async fn a_run_that_was_superseded_before_it_had_a_job_is_to_be_run_again_as_a_whole() {
    let acme = Acme::new().await;
    let step = spawn_waiting(&acme, 500);
    let run = run_of_web(&acme).await;
    acme.world.update_run(run, |run| run.status = "pending".into());
    until_the_board_says(&acme, "held by its concurrency group").await;
    acme.world.supersede_run(run);
    let outcome = step.end().await;
    let why = "cancelled before any job began: by somebody, or by a newer run of its concurrency group";
    outcome
        .fails()
        .says(&format!("::error::web was {why}"))
        .says("help: re-run http")
        .says("`retry-failed: true`");
    assert!(!outcome.log.contains("failed jobs"), "{}", outcome.log);
    assert_eq!(result(&outcome, KEYS), [json!("cancelled"), json!("cancelled"), json!(why)]);
    let board = acme.board(1);
    assert!(board.contains(&format!("**web** did not begin: {why}")), "{board}");
    assert!(board.contains("with `retry-failed: true`") && !board.contains("cancelled jobs"), "{board}");
    // Later dispatches do not name jobs that do not exist, either.
    let outcome = dispatch(501).run_in(&acme).await;
    outcome.succeeds().says("web is left alone: it was already started and cancelled; re-run http");
    dispatch(502).input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(runs(&acme), 2);
}

#[tokio::test]
async fn a_run_that_was_deleted_is_unknown_and_started_again_only_if_that_is_asked_for() {
    let acme = Acme::new().await;
    dispatch(500).run_in(&acme).await.succeeds();
    let run = run_of_web(&acme).await;
    acme.world.delete_run(run);
    // A moment after the start a replica may lack the run.
    let outcome = dispatch(501).run_in(&acme).await;
    outcome.succeeds();
    assert!(acme.row(1, "web").contains("🕓 queued"), "{}", acme.row(1, "web"));
    pass_a_minute(&acme);
    acme.world.clear_exchanges();
    let outcome = dispatch(502).run_in(&acme).await;
    let error = "the run was deleted, so GitHub does not say how it ended";
    outcome.succeeds().says("web is left alone: its run http").says("was deleted");
    assert_eq!(result(&outcome, KEYS), [json!("unknown"), Value::Null, json!(error)]);
    let looks = acme.requests().iter().filter(|line| line.ends_with(&format!("/runs/{run}"))).count();
    assert!(looks > 3, "several looks agree: {:?}", acme.requests());
    let board = acme.board(1);
    assert!(board.contains(&format!("**web** no longer has a run: {error}")), "{board}");
    assert!(board.contains("checks whether **web** is released, and if it is not,"), "{board}");
    assert_eq!(runs(&acme), 0);
    // A hub job that waits fails at once.
    let outcome = spawn_waiting(&acme, 503).end().await;
    outcome
        .fails()
        .says("the run http")
        .says("help: check whether it is released; if it is not, dispatch again");
    dispatch(504).input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(runs(&acme), 1);
    assert!(acme.row(1, "web").contains("🕓 queued"), "{}", acme.row(1, "web"));
}

#[tokio::test]
async fn a_run_that_reported_its_last_stage_before_it_was_deleted_is_released() {
    let acme = Acme::new().await;
    dispatch(500).run_in(&acme).await.succeeds();
    let run = run_of_web(&acme).await;
    let report = Step::new("report").run(run).input("ticket", "acme/hub#1").input("status", "success");
    report.input("done", "true").run_in(&acme).await.succeeds();
    acme.world.delete_run(run);
    pass_a_minute(&acme);
    let outcome = dispatch(501).run_in(&acme).await;
    outcome.succeeds().says("web is left alone: it is already released");
    assert_eq!(result(&outcome, KEYS)[0], json!("released"));
    assert_eq!(runs(&acme), 0);
}

#[tokio::test]
async fn the_conclusion_of_a_run_stays_after_the_run_is_deleted() {
    let acme = Acme::new().await;
    dispatch(500).run_in(&acme).await.succeeds();
    let run = run_of_web(&acme).await;
    acme.world.finish_run(run, "failure");
    dispatch(501).run_in(&acme).await.succeeds();
    acme.world.delete_run(run);
    pass_a_minute(&acme);
    let outcome = dispatch(502).run_in(&acme).await;
    outcome.succeeds().says("it was already started and failed");
    assert_eq!(result(&outcome, KEYS)[..2], [json!("failed"), json!("failure")]);
}
