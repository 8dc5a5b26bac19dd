//! The mode `notify` in a workflow that the end of another one has started.

use serde_json::{Value, json};
use simulated_github::Job;

use crate::notify::{issues, notify};
use crate::support::{Acme, Outcome, Step, for_people};

/// The event of a run that has ended, as GitHub sends it.
fn event(acme: &Acme, run: u64, conclusion: Value) -> Value {
    let run = acme.world.run(run).expect("a run");
    json!({
        "action": "completed",
        "repository": { "full_name": "acme/web" },
        "workflow": { "name": "CI", "path": ".github/workflows/release.yml" },
        "workflow_run": {
            "id": run.id,
            "run_attempt": 1,
            "name": "CI",
            "event": run.event,
            "head_branch": "main",
            "conclusion": conclusion,
            "repository": { "full_name": "acme/web" },
            "head_repository": { "full_name": "acme/web" },
        },
    })
}

/// The step that notifies of a run in a run of its own, with the conclusion of the event as its status.
fn notifier(acme: &Acme, event: &Value) -> Step {
    let conclusion = event["workflow_run"]["conclusion"].as_str().unwrap_or_default();
    let notifier_run = acme.world.start_run("acme/web", "release.yml", "workflow_run");
    notify(acme, conclusion)
        .run(notifier_run)
        .job("notify")
        .variable("GITHUB_WORKFLOW", "Notify of CI")
        .event(event.clone())
}

async fn run_notifier(acme: &Acme, conclusion: Value) -> (u64, Outcome) {
    let run = acme.world.start_run("acme/web", "release.yml", "schedule");
    let outcome = notifier(acme, &event(acme, run, conclusion)).run_in(acme).await;
    (run, outcome)
}

#[tokio::test]
async fn a_notice_is_about_the_run_that_has_ended_and_not_about_the_one_that_notifies() {
    let acme = Acme::new().await;
    let run = acme.world.start_run("acme/web", "release.yml", "schedule");
    let build = Job::new("build").step("Compile", "success").step("Run tests", "failure");
    acme.world.add_job(run, build.conclusion("failure"));
    let outcome = notifier(&acme, &event(&acme, run, json!("failure"))).run_in(&acme).await;
    outcome.succeeds();
    let [issue] = &issues(&acme)[..] else { panic!("one issue") };
    assert_eq!(issue.title, "CI failed in acme/web at main");
    let body = for_people(&issue.body);
    let link = format!("[run {run}](https://github.com/acme/web/actions/runs/{run})");
    assert!(body.contains(&format!("in acme/web, job `build`: {link}")), "{body}");
    assert!(body.contains("step 2, Run tests"), "{body}");
    assert!(!body.contains("notify") && !body.contains("Notify"), "{body}");

    // The next successful run of that workflow resolves it, from any job.
    let (_, outcome) = run_notifier(&acme, json!("success")).await;
    outcome.succeeds().says("resolved acme/web#1");
    let comment = for_people(&issues(&acme)[0].comments[0].body);
    assert!(comment.trim_end().ends_with("> CI works again in acme/web at main"), "{comment}");
}

#[tokio::test]
async fn with_a_fingerprint_the_run_that_has_ended_is_named_too() {
    let acme = Acme::new().await;
    for conclusion in ["failure", "success"] {
        let run = acme.world.start_run("acme/web", "release.yml", "schedule");
        let step = notifier(&acme, &event(&acme, run, json!(conclusion))).input("fingerprint", "ci");
        step.run_in(&acme).await.succeeds();
    }
    let comment = for_people(&issues(&acme)[0].comments[0].body);
    assert!(comment.trim_end().ends_with("> CI works again in acme/web at main"), "{comment}");
}

#[tokio::test]
async fn every_conclusion_of_github_is_taken() {
    for (conclusion, title) in [
        (json!("failure"), "CI failed in acme/web at main"),
        (json!("timed_out"), "CI timed out in acme/web at main"),
        (json!("startup_failure"), "CI could not start in acme/web at main"),
        (json!("stale"), "CI was marked as stale by GitHub in acme/web at main"),
        (json!("action_required"), "CI waits for an approval in acme/web at main"),
        (json!("cancelled"), "CI was cancelled in acme/web at main"),
    ] {
        let acme = Acme::new().await;
        let (run, outcome) = run_notifier(&acme, conclusion.clone()).await;
        outcome.succeeds();
        assert_eq!(issues(&acme)[0].title, title, "{conclusion}");
        let body = for_people(&issues(&acme)[0].body);
        assert!(body.contains(&format!("in acme/web: [run {run}]")), "{conclusion}: {body}");
    }
    for conclusion in [json!("success"), json!("neutral"), json!("skipped"), json!(null)] {
        let acme = Acme::new().await;
        let (_, outcome) = run_notifier(&acme, conclusion.clone()).await;
        outcome.succeeds();
        assert_eq!(issues(&acme), [], "{conclusion}");
    }
}

#[tokio::test]
async fn a_job_that_fails_by_itself_after_a_good_run_is_named_and_resolved() {
    let acme = Acme::new().await;
    // A deployment that begins when CI has ended well, and notifies of itself.
    let deployment = |status: &str| {
        let run = acme.world.start_run("acme/web", "release.yml", "schedule");
        notifier(&acme, &event(&acme, run, json!("success"))).input("status", status).job("deploy")
    };
    deployment("failure").run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme)[0].title, "Notify of CI failed in acme/web at main, job deploy");
    deployment("success").run_in(&acme).await.succeeds().says("resolved acme/web#1");
}

#[tokio::test]
async fn a_run_of_a_fork_is_named_as_such_and_resolves_nothing_else() {
    let acme = Acme::new().await;
    run_notifier(&acme, json!("failure")).await.1.succeeds();
    let of_fork = |conclusion: &str| {
        let run = acme.world.start_run("acme/web", "release.yml", "pull_request");
        let mut event = event(&acme, run, json!(conclusion));
        event["workflow_run"]["head_repository"]["full_name"] = json!("mallory/web");
        notifier(&acme, &event)
    };
    of_fork("success").run_in(&acme).await.succeeds().says("no open failure");
    assert!(issues(&acme)[0].is_open());
    of_fork("failure").run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme)[1].title, "CI failed in acme/web at mallory:main");
    // A stranger's pull request pings nobody.
    of_fork("action_required").run_in(&acme).await.succeeds().says("waits until somebody approves it");
    assert_eq!((issues(&acme).len(), issues(&acme)[1].comments.len()), (2, 0));
}

#[tokio::test]
async fn a_run_of_a_fork_resolves_nothing_by_a_fingerprint_that_all_runs_have() {
    let acme = Acme::new().await;
    for (repository, conclusion) in [("acme/web", "failure"), ("mallory/web", "success")] {
        let run = acme.world.start_run("acme/web", "release.yml", "push");
        let mut event = event(&acme, run, json!(conclusion));
        event["workflow_run"]["head_repository"]["full_name"] = json!(repository);
        notifier(&acme, &event).input("fingerprint", "ci").run_in(&acme).await.succeeds();
    }
    let [issue] = &issues(&acme)[..] else { panic!("one issue") };
    assert!(issue.is_open());
}

#[tokio::test]
async fn a_run_of_a_tag_is_the_same_failure_at_the_next_tag() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").tag("v1.2.3").tag("v1.2.4");
    acme.world.token("web-token").can("acme/web", &["contents: read"]);
    for event_name in ["push", "workflow_dispatch"] {
        for (tag, conclusion) in [("v1.2.3", "failure"), ("v1.2.4", "success")] {
            let run = acme.world.start_run("acme/web", "release.yml", event_name);
            let mut event = event(&acme, run, json!(conclusion));
            event["workflow_run"]["head_branch"] = json!(tag);
            notifier(&acme, &event).run_in(&acme).await.succeeds();
        }
        let [issue] = &issues(&acme)[..] else { panic!("one issue") };
        let state = (issue.title.as_str(), issue.is_open());
        assert_eq!(state, ("CI failed in acme/web at v1.2.3", false), "{event_name}");
    }
}

#[tokio::test]
async fn a_bare_event_of_another_repository_names_no_run() {
    let acme = Acme::new().await;
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    let mut event = event(&acme, run, json!("failure"));
    event["workflow_run"]["repository"]["full_name"] = json!("acme/api");
    notifier(&acme, &event).run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme)[0].title, "Notify of CI failed in acme/web at main, job notify");
}

#[tokio::test]
async fn names_that_fill_an_issue_are_cut_so_that_it_is_found_again() {
    let acme = Acme::new().await;
    for _ in 0..2 {
        let run = acme.world.start_run("acme/web", "release.yml", "pull_request");
        let long = Job::new("<".repeat(30_000)).step("<".repeat(30_000), "failure");
        acme.world.add_job(run, long.conclusion("failure"));
        let mut event = event(&acme, run, json!("failure"));
        event["workflow_run"]["head_repository"]["full_name"] = json!("mallory/web");
        notifier(&acme, &event).run_in(&acme).await.succeeds();
    }
    let [issue] = &issues(&acme)[..] else { panic!("one issue") };
    assert_eq!(issue.comments.len(), 1);
    assert!(for_people(&issue.body).contains("Something went wrong"), "{}", issue.body);
}
