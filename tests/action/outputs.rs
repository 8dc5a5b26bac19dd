//! Outputs: the values that targets give back, and the inputs of later targets that read them.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_github::Run;

use crate::support::{Acme, Outcome, Step, until_the_board_says};

const FILE: &str = r#"
defaults: { workflow: release.yml }
targets:
  - web
  - repository: docs
    needs: web
    inputs: { version: "{{ outputs.web.version }}" }
"#;

const DOCS_WORKFLOW: &str = "
on:
  workflow_dispatch:
    inputs:
      version: { required: true }
";

async fn acme_with(file: &str) -> Acme {
    let acme = Acme::new().await;
    acme.world.repository("acme/docs").file(".github/workflows/release.yml", DOCS_WORKFLOW);
    acme.world.repository("acme/hub").file(".github/release-targets.yml", file);
    acme
}

fn dispatch(run: u64) -> Step {
    Step::new("dispatch").run(run).input("release", "1.4.0")
}

fn waiting_dispatch(run: u64) -> Step {
    dispatch(run).input("wait", "true").input("wait-interval", "50ms")
}

fn report(run: u64) -> Step {
    Step::new("report").in_repository("acme/web").run(run).job("publish").input("ticket", "acme/hub#1")
}

async fn run_of(acme: &Acme, name: &str) -> Run {
    for _ in 0..3_000 {
        if let Some(run) = acme.world.runs(&format!("acme/{name}")).pop() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{name} was not started:\n{}", acme.world.story());
}

/// The target web reports these outputs in its last stage, and its run succeeds.
async fn release_web(acme: &Acme, outputs: &str) {
    let run = run_of(acme, "web").await.id;
    let step = report(run).input("stage", "publish").input("status", "success").input("done", "true");
    step.input("url", "https://github.com/acme/web/releases/tag/v1.4.1")
        .input("outputs", outputs)
        .run_in(acme)
        .await
        .succeeds();
    acme.world.finish_run(run, "success");
}

fn outputs_of(outcome: &Outcome, name: &str) -> Value {
    let results: Vec<Value> = serde_json::from_str(outcome.output("results")).expect("JSON");
    results.into_iter().find(|result| result["name"] == name).expect("a result")["outputs"].clone()
}

#[tokio::test]
async fn a_later_target_gets_what_an_earlier_one_gave_back() {
    let acme = acme_with(FILE).await;
    let hub = waiting_dispatch(500).spawn_in(&acme);
    release_web(&acme, "{ version: 1.10, digest: 'sha256:0f3c' }").await;
    let docs = run_of(&acme, "docs").await;
    assert_eq!(docs.inputs["version"], "1.10");
    acme.world.finish_run(docs.id, "success");
    let outcome = hub.end().await;
    outcome.succeeds();
    assert_eq!(outputs_of(&outcome, "web"), json!({ "version": "1.10", "digest": "sha256:0f3c" }));
    assert_eq!(outputs_of(&outcome, "docs"), json!({}));
    let row = acme.row(1, "web");
    assert!(row.contains("| 1.10 |"), "{row}");
}

#[tokio::test]
async fn a_dispatch_that_does_not_wait_reads_the_outputs_when_it_runs_again() {
    let acme = acme_with(FILE).await;
    dispatch(500).run_in(&acme).await.succeeds();
    release_web(&acme, "version: 1.4.1").await;
    acme.world.advance(Duration::from_secs(60));
    dispatch(501).run_in(&acme).await.succeeds();
    assert_eq!(run_of(&acme, "docs").await.inputs["version"], "1.4.1");
}

#[tokio::test]
async fn the_outputs_of_a_re_run_count_and_not_those_of_the_failed_attempt() {
    let acme = acme_with(FILE).await;
    let hub = waiting_dispatch(500).spawn_in(&acme);
    let web = run_of(&acme, "web").await.id;
    let first_report = report(web).input("stage", "publish").input("status", "failure");
    first_report.input("outputs", "version: 1.4.1").run_in(&acme).await.succeeds();
    acme.world.rerun(web);
    let second_report = report(web).attempt(2).input("stage", "publish").input("status", "success");
    second_report.input("outputs", "version: 1.4.2").run_in(&acme).await.succeeds();
    acme.world.finish_run(web, "success");
    assert_eq!(run_of(&acme, "docs").await.inputs["version"], "1.4.2");
    acme.world.finish_run(run_of(&acme, "docs").await.id, "success");
    hub.end().await.succeeds();
}

#[tokio::test]
async fn a_missing_output_refuses_the_start_and_the_next_dispatch_starts_it() {
    let acme = acme_with(FILE).await;
    dispatch(500).run_in(&acme).await.succeeds();
    release_web(&acme, "{ tag: v1.4.1, version: '' }").await;
    let outcome = dispatch(501).run_in(&acme).await;
    outcome.fails().says(
        "cannot start docs: the template `{{ outputs.web.version }}` does not render: there is no `outputs.web.version`",
    );
    outcome.says("web reported `tag`; report `version` there");
    assert!(acme.world.runs("acme/docs").is_empty());
    let board = acme.board(1);
    assert!(
        board.contains("**docs** could not be started") && board.contains("web reported `tag`"),
        "{board}"
    );
    // The author of the workflow re-runs the last job with the output.
    let web = run_of(&acme, "web").await.id;
    acme.world.rerun(web);
    let report_again =
        report(web).attempt(2).input("stage", "publish").input("status", "success").input("done", "true");
    report_again.input("outputs", "version: 1.4.1").run_in(&acme).await.succeeds();
    acme.world.finish_run(web, "success");
    dispatch(502).run_in(&acme).await.succeeds();
    assert_eq!(run_of(&acme, "docs").await.inputs["version"], "1.4.1");
}

#[tokio::test]
async fn a_dispatch_waits_for_outputs_that_github_lists_late() {
    let acme = acme_with(FILE).await;
    let hub = waiting_dispatch(500).spawn_in(&acme);
    run_of(&acme, "web").await;
    until_the_board_says(&acme, "web").await;
    acme.world.lag(|method, path| {
        let is_list = method == "GET" && path.contains("/comments");
        if is_list { Duration::from_secs(8) } else { Duration::ZERO }
    });
    release_web(&acme, "version: 1.4.1").await;
    let docs = run_of(&acme, "docs").await;
    assert_eq!(docs.inputs["version"], "1.4.1");
    acme.world.finish_run(docs.id, "success");
    hub.end().await.succeeds();
}

#[tokio::test]
async fn a_reference_out_of_reach_is_refused_before_anything_is_started() {
    let file = r#"
defaults: { workflow: release.yml }
targets:
  - web
  - repository: docs
    inputs:
      version: "{{ outputs.web.version }}"
"#;
    let acme = acme_with(file).await;
    let outcome = dispatch(500).run_in(&acme).await;
    outcome.fails().says(
        "target docs, input `version`: it reads outputs of web, which may not be released before docs starts",
    );
    outcome.says("line=7,col=16").says("add `web` to the `needs` of docs");
    assert!(acme.world.runs("acme/web").is_empty() && acme.world.issues("acme/hub").is_empty());
}

#[tokio::test]
async fn an_input_of_outputs_must_be_one_that_the_workflow_declares() {
    let acme = acme_with(&FILE.replace("{ version:", "{ versions:")).await;
    let outcome = dispatch(500).run_in(&acme).await;
    outcome.fails().says("input `versions` of release.yml in acme/docs");
    assert!(acme.world.runs("acme/web").is_empty());
}

#[tokio::test]
async fn an_output_is_text_and_never_a_template() {
    let acme = acme_with(FILE).await;
    let hub = waiting_dispatch(500).spawn_in(&acme);
    release_web(&acme, r#"version: "{{ driver }} @all <b>|""#).await;
    let docs = run_of(&acme, "docs").await;
    assert_eq!(docs.inputs["version"], "{{ driver }} @all <b>|");
    acme.world.finish_run(docs.id, "success");
    hub.end().await.succeeds();
    let row = acme.row(1, "web");
    assert!(row.contains(r"\|") && !row.contains("<b>") && !row.contains(" @all"), "{row}");
}

#[tokio::test]
async fn a_report_with_a_name_that_no_output_can_have_fails() {
    let acme = acme_with(FILE).await;
    dispatch(500).run_in(&acme).await.succeeds();
    let run = run_of(&acme, "web").await.id;
    let step = report(run).input("status", "success").input("outputs", "Version: 1.4.1");
    step.run_in(&acme).await.ends_with(2).says("`Version` cannot be the name of an output");
}

#[tokio::test]
async fn the_ticket_that_continues_a_closed_one_keeps_the_outputs() {
    let acme = acme_with(FILE).await;
    dispatch(500).run_in(&acme).await.succeeds();
    release_web(&acme, "version: 1.4.1").await;
    acme.world.close_issue("acme/hub", 1);
    acme.world.advance(Duration::from_secs(300));
    let outcome = dispatch(501).run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.output("ticket-number"), "2");
    assert_eq!(outputs_of(&outcome, "web"), json!({ "version": "1.4.1" }));
    assert_eq!(run_of(&acme, "docs").await.inputs["version"], "1.4.1");
}
