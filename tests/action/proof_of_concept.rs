//! The proof of concept's own flow: a hub that fills the inputs which a target's `main.yml` has
//! always declared, and four reports.

use serde_json::{Value, json};

use crate::support::{Acme, Outcome, Step};

const MAIN_WORKFLOW: &str = "
name: Release pipeline
on:
  workflow_dispatch:
    inputs:
      reportTo: { description: Repository to report to, required: false, type: string }
      releaseTicketNumber: { description: Release ticket, required: false, default: '-1' }
      draftRelease: { description: Draft, type: boolean, default: true }
";

const HUB_INPUTS: &str = r#"
reportTo: "{{ hub.name }}"
releaseTicketNumber: "{{ ticket.number }}"
draftRelease: "{{ inputs.draftRelease }}"
"#;

async fn dispatch(acme: &Acme) -> Outcome {
    acme.world.repository("acme/web").file(".github/workflows/main.yml", MAIN_WORKFLOW);
    let event = json!({ "inputs": { "targetRepo": "web", "failJob": false, "draftRelease": true } });
    let step = Step::new("dispatch").event(event).input("targets", "web").input("workflow", "main.yml");
    step.input("ref", "main").input("inputs", HUB_INPUTS).run_in(acme).await
}

/// A report as the target's jobs make it: they have only the three inputs.
fn report(inputs: &serde_json::Map<String, Value>, run: u64, job: &str) -> Step {
    let input = |name: &str| inputs[name].as_str().unwrap_or_default().to_owned();
    let step = Step::new("report").run(run).job(job).event(json!({ "inputs": inputs }));
    step.input("repository", input("reportTo")).input("ticket", input("releaseTicketNumber"))
}

#[tokio::test]
async fn the_whole_flow_runs_without_a_hub_run_for_each_report() {
    let acme = Acme::new().await;
    dispatch(&acme).await.succeeds();
    let issue = acme.world.issue_view("acme/hub", 1);
    assert_eq!((issue.title.as_str(), &issue.labels[..]), ("Release for web", &["release".to_owned()][..]));
    assert_eq!(issue.assignees, ["alice"]);
    let run = acme.world.runs("acme/web").remove(0);
    assert_eq!(
        Value::Object(run.inputs.clone()),
        json!({ "reportTo": "hub", "releaseTicketNumber": "1", "draftRelease": "true" })
    );

    acme.world.clear_story();
    for (job, status, message, ends_release) in [
        ("launched", "in_progress", "Pipeline launched", false),
        ("build", "success", "Build and tests passed", false),
        ("publish", "success", "Release published", true),
    ] {
        let step = report(&run.inputs, run.id, job).input("status", status).input("message", message);
        let url = if ends_release { "https://github.com/acme/web/releases/tag/v1.4.0" } else { "" };
        step.input("done", ends_release).input("url", url).run_in(&acme).await.succeeds();
    }
    let board = acme.board(1);
    assert!(board.contains("**1 of 1 released**") && board.contains("[v1.4.0]("), "{board}");

    let step =
        report(&run.inputs, run.id, "failed").input("status", "failure").input("message", "Pipeline failed");
    step.run_in(&acme).await.succeeds();
    assert!(acme.board(1).contains("**web** failed at `failed`: Pipeline failed"), "{}", acme.board(1));
    assert!(!acme.world.story().contains("started"), "no run for a report: {}", acme.world.story());
}

#[tokio::test]
async fn a_target_that_a_person_starts_reports_nothing_and_notifies_in_its_own_repository() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").file(".github/workflows/main.yml", MAIN_WORKFLOW);
    acme.world
        .token("web-token")
        .acts_as("github-actions[bot]")
        .can("acme/web", &["issues: write", "actions: read"]);
    let inputs = json!({ "reportTo": "", "releaseTicketNumber": "-1", "draftRelease": "true" });
    let inputs = inputs.as_object().expect("a mapping");
    report(inputs, 77, "build")
        .input("status", "success")
        .run_in(&acme)
        .await
        .succeeds()
        .says("there is no release ticket");
    assert_eq!(acme.world.story(), "");

    let step =
        Step::new("notify").run(77).input("repository", "").input("ticket", "-1").input("status", "failure");
    let outcome = step.input("token", "web-token").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!((outcome.output("created"), acme.world.issues("acme/web").len()), ("true", 1));
}

#[tokio::test]
async fn a_pipeline_that_fails_and_is_run_again_ends_green() {
    let acme = Acme::new().await;
    dispatch(&acme).await.succeeds();
    let run = acme.world.runs("acme/web").remove(0);
    let step = |job: &str, attempt| report(&run.inputs, run.id, job).attempt(attempt);
    step("build", 1).input("status", "success").run_in(&acme).await.succeeds();
    step("failed", 1)
        .input("status", "failure")
        .input("message", "Pipeline failed")
        .run_in(&acme)
        .await
        .succeeds();
    assert!(acme.board(1).contains("❌ **1 failed**"), "{}", acme.board(1));
    step("publish", 2).input("status", "success").input("done", "true").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(board.contains("**Everything is released.**") && board.contains("Older attempts (1)"), "{board}");
}
