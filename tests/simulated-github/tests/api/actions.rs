//! Workflows, runs and jobs through the API.

use crate::support::{RELEASE, client, world};
use serde_json::{Value, json};
use simulated_github::{Environment, Job};

const DISPATCHES: &str = "/repos/acme/web/actions/workflows/release.yml/dispatches";

#[tokio::test]
async fn a_dispatch_starts_a_run_and_answers_with_its_id() {
    let world = world();
    let mut runs = world.started_runs();
    let body = json!({
        "ref": "refs/heads/main", "inputs": { "channel": "beta" }, "return_run_details": true,
    });
    let answer = client(&world, "t").post(DISPATCHES, body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["workflow_run_id"], 7001);
    let run = runs.recv().await.expect("the world exists");
    assert_eq!(run.inputs, *json!({ "channel": "beta", "draft": "false" }).as_object().expect("it is one"));
    assert_eq!(
        (run.id, run.name.as_str(), run.git_ref.as_str(), run.actor.as_str()),
        (7001, "Release beta", "main", "acme-release[bot]")
    );
    assert_eq!(world.story(), "acme/web  started release.yml at main (channel=beta)");
}

#[tokio::test]
async fn invalid_dispatches_are_refused() {
    let world = world();
    world.repository("acme/web").file(".github/workflows/ci.yml", "on: push");
    let off = ".github/workflows/off.yml";
    world.repository("acme/web").file(off, RELEASE).disable_workflow("off.yml");
    let ok = json!({ "ref": "main", "inputs": { "channel": "beta" } });
    let cases = [
        ("none.yml", ok.clone(), 404, "Not Found"),
        ("off.yml", ok.clone(), 422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow"),
        ("ci.yml", ok.clone(), 422, "Workflow does not have 'workflow_dispatch' trigger"),
        ("release.yml", json!({ "ref": "v9" }), 422, "No ref found for: v9"),
        ("release.yml", json!({ "ref": "main" }), 422, "Required input 'channel' not provided"),
        ("release.yml", json!({}), 422, "Invalid request.\n\n\"ref\" wasn't supplied."),
    ];
    let github = client(&world, "t");
    for (workflow, body, status, message) in cases {
        let path = format!("/repos/acme/web/actions/workflows/{workflow}/dispatches");
        let answer = github.post(&path, body).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, message));
    }
    assert!(world.runs("acme/web").is_empty());
}

#[tokio::test]
async fn the_workflow_file_at_the_ref_decides() {
    let world = world();
    let path = ".github/workflows/release.yml";
    world.repository("acme/web").branch("v1").file_on("v1", path, "on: workflow_dispatch");
    let github = client(&world, "t");
    let answer = github.post(DISPATCHES, json!({ "ref": "v1" })).await;
    assert_eq!(answer.status, 204);
    let body = json!({ "ref": "v1", "inputs": { "channel": "beta" } });
    let refusal = github.post(DISPATCHES, body).await;
    assert_eq!(refusal.message(), r#"Unexpected inputs provided: ["channel"]"#);
}

#[tokio::test]
async fn an_old_enterprise_server_knows_no_run_details() {
    let world = world();
    world.ghes("3.20");
    let body = json!({ "ref": "main", "inputs": { "channel": "beta" }, "return_run_details": true });
    let answer = client(&world, "t").post(&format!("/api/v3{DISPATCHES}"), body).await;
    assert_eq!(answer.status, 422);
    assert!(answer.message().contains("return_run_details"));
}

#[tokio::test]
async fn a_repository_dispatch_starts_the_workflows_of_its_type() {
    let world = world();
    let github = client(&world, "t");
    for event_type in ["release", "other"] {
        let body = json!({ "event_type": event_type, "client_payload": { "a": 1 } });
        let answer = github.post("/repos/acme/web/dispatches", body).await;
        assert_eq!(answer.status, 204);
    }
    assert_eq!(world.dispatch_events("acme/web").len(), 2);
    let runs = world.runs("acme/web");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].client_payload, json!({ "a": 1 }));
}

#[tokio::test(start_paused = true)]
async fn runs_are_found_by_their_fields() {
    let world = world();
    world.start_run("acme/web", "release.yml", "push");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let second = world.start_run("acme/web", "release.yml", "workflow_dispatch");
    world.finish_run(second, "failure");
    let github = client(&world, "t");
    let cases = [
        ("", vec![7002, 7001]),
        ("?event=push", vec![7001]),
        ("?status=failure", vec![7002]),
        ("?status=completed", vec![7002]),
        ("?branch=main&actor=acme", vec![7002, 7001]),
        ("?created=%3E%3D2026-01-05T09:01:00Z", vec![7002]),
        ("?created=%3C2026-01-05T09:01:00Z", vec![7001]),
        ("?created=2026-01-05", vec![7002, 7001]),
        ("?created=2026-01-06..*", vec![]),
    ];
    for (query, expected) in cases {
        let list = github.get(&format!("/repos/acme/web/actions/runs{query}")).await.json();
        let runs = list["workflow_runs"].as_array().expect("it is a list");
        let ids: Vec<&Value> = runs.iter().map(|run| &run["id"]).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[tokio::test]
async fn another_attempt_keeps_the_run_and_its_older_jobs() {
    let world = world();
    let id = world.start_run("acme/web", "release.yml", "push");
    let build = Job::new("build").step("compile", "success").conclusion("success");
    world.add_job(id, build);
    world.add_job(id, Job::new("publish").running());
    world.finish_run(id, "failure");
    let github = client(&world, "t");
    let run = format!("/repos/acme/web/actions/runs/{id}");
    assert_eq!(github.post(&format!("{run}/rerun-failed-jobs"), Value::Null).await.status, 201);
    let names = |answer: crate::support::Answer| -> Vec<String> {
        let jobs = answer.json()["jobs"].clone();
        let jobs = jobs.as_array().cloned().unwrap_or_default();
        jobs.iter().map(|job| format!("{} {}", job["name"], job["run_attempt"])).collect()
    };
    assert_eq!(names(github.get(&format!("{run}/jobs")).await), [r#""build" 2"#]);
    assert_eq!(
        names(github.get(&format!("{run}/attempts/1/jobs")).await),
        [r#""build" 1"#, r#""publish" 1"#]
    );
    let first = github.get(&format!("{run}/attempts/1")).await.json();
    assert_eq!((&first["run_attempt"], &first["conclusion"]), (&json!(1), &json!("failure")));
    let now = github.get(&run).await.json();
    assert_eq!((&now["run_attempt"], &now["status"]), (&json!(2), &json!("queued")));
}

#[tokio::test]
async fn a_run_waits_for_its_environments_until_they_let_it_go() {
    let world = world();
    let id = world.start_run("acme/web", "release.yml", "push");
    world.add_job(id, Job::new("build").conclusion("success"));
    let production = Environment::new("production").reviewer("dana").reviewer("acme/sre");
    world.add_job(id, Job::new("deploy").waiting_for(production.clone()));
    world.add_job(id, Job::new("docs").waiting_for(production));
    world.add_job(
        id,
        Job::new("slow").waiting_for(Environment::new("staging").wait_timer(5).reviewer("dana")),
    );
    let github = client(&world, "t");
    let run = format!("/repos/acme/web/actions/runs/{id}");
    let pending = || async {
        let list = github.get(&format!("{run}/pending_deployments")).await.json();
        let names = |item: &Value| item["reviewers"].as_array().map_or(0, Vec::len);
        let list = list.as_array().expect("a list").iter();
        list.map(|item| format!("{} {}", item["environment"]["name"], names(item))).collect::<Vec<_>>()
    };
    let statuses = || async {
        let jobs = github.get(&format!("{run}/jobs")).await.json();
        let jobs = jobs["jobs"].as_array().expect("a list").clone();
        let status = github.get(&run).await.json()["status"].clone();
        [vec![status], jobs.into_iter().map(|job| job["status"].clone()).collect()].concat()
    };
    assert_eq!(pending().await, [r#""production" 2"#, r#""staging" 1"#]);
    assert_eq!(statuses().await, ["waiting", "completed", "waiting", "waiting", "waiting"]);
    world.approve(id, "production");
    assert_eq!(pending().await, [r#""staging" 1"#]);
    assert_eq!(statuses().await, ["in_progress", "completed", "queued", "queued", "waiting"]);
    world.approve(id, "staging");
    assert_eq!(pending().await, [r#""staging" 0"#], "the wait timer still runs");
    world.let_go(id, "staging");
    assert_eq!(pending().await, Vec::<String>::new());
}

#[tokio::test]
async fn files_are_read_at_a_branch_or_commit() {
    let world = world();
    let repository = world.repository("acme/web").file("a.txt", "one").branch("v1");
    let head = repository.head("v1");
    repository.file("a.txt", "two");
    let raw = client(&world, "t").header("accept", "application/vnd.github.raw+json");
    let path = "/repos/acme/web/contents/a.txt";
    assert_eq!(raw.get(path).await.text, "two");
    assert_eq!(raw.get(&format!("{path}?ref=v1")).await.text, "one");
    assert_eq!(raw.get(&format!("{path}?ref={head}")).await.text, "one");
    assert_eq!(raw.get(&format!("{path}?ref=v9")).await.status, 404);
    let object = client(&world, "t").get(path).await.json();
    assert_eq!(object["content"], "dHdv\n");
    assert_eq!(object["html_url"], "https://github.com/acme/web/blob/main/a.txt");
}

#[tokio::test]
async fn a_run_may_end_without_a_conclusion_or_a_job_and_may_be_deleted() {
    let world = world();
    let id = world.start_run("acme/web", "release.yml", "workflow_dispatch");
    let (github, path) = (client(&world, "t"), format!("/repos/acme/web/actions/runs/{id}"));
    world.end_run(id);
    let run = github.get(&path).await.json();
    assert_eq!((&run["status"], &run["conclusion"]), (&json!("completed"), &Value::Null));
    world.finish_run(id, "success");
    assert_eq!(github.get(&path).await.json()["conclusion"], "success");
    let pending = world.start_run("acme/web", "release.yml", "workflow_dispatch");
    world.supersede_run(pending);
    let path_of_pending = format!("/repos/acme/web/actions/runs/{pending}");
    assert_eq!(github.get(&path_of_pending).await.json()["conclusion"], "cancelled");
    assert_eq!(github.get(&format!("{path_of_pending}/jobs")).await.json()["total_count"], 0);
    world.delete_run(id);
    assert_eq!(github.get(&path).await.status, 404);
}
