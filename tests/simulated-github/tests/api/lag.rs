//! Replicas that lag behind.

use std::time::Duration;

use crate::support::{Answer, client, world};
use serde_json::{Value, json};
use simulated_github::{Fault, Kind, World};
use tokio::time::sleep;

const ISSUES: &str = "/repos/acme/hub/issues?state=all&direction=asc";
const COMMENTS: &str = "/repos/acme/hub/issues/1/comments";
const RUNS: &str = "/repos/acme/web/actions/runs";

const SECOND: Duration = Duration::from_secs(1);

/// A world whose answers are all ten seconds old.
fn lagging_world() -> World {
    let world = world();
    world.lag(|_, _| 10 * SECOND);
    world
}

fn ids(runs: &Answer) -> Vec<Value> {
    let runs = runs.json()["workflow_runs"].as_array().cloned().unwrap_or_default();
    runs.into_iter().map(|run| run["id"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_lacks_newer_writes() {
    let world = lagging_world();
    let github = client(&world, "t");
    let id = world.comment("acme/hub", 1, "alice", "first");
    let number = world.issue("acme/hub", "Another", "", "alice");
    let comment = format!("/repos/acme/hub/issues/comments/{id}");
    let issue = format!("/repos/acme/hub/issues/{number}");
    assert_eq!(github.get(COMMENTS).await.each("id"), [] as [Value; 0]);
    assert_eq!(github.get(ISSUES).await.each("number"), [1]);
    assert_eq!([github.get(&comment).await.status, github.get(&issue).await.status], [404, 404]);

    sleep(10 * SECOND).await;
    world.edit_comment(id, "second");
    assert_eq!(github.get(COMMENTS).await.each("body"), ["first"]);
    assert_eq!(github.get(ISSUES).await.each("number"), [1, number]);
    assert_eq!([github.get(&comment).await.status, github.get(&issue).await.status], [200, 200]);

    sleep(10 * SECOND).await;
    assert_eq!(github.get(&comment).await.json()["body"], "second");
}

#[tokio::test(start_paused = true)]
async fn runs_and_files_are_old_too() {
    let world = lagging_world();
    let github = client(&world, "t");
    world.repository("acme/web").file("a.txt", "one");
    let id = world.start_run("acme/web", "release.yml", "push");
    let run = format!("{RUNS}/{id}");
    assert_eq!(github.get(&run).await.status, 404);
    assert_eq!(github.get("/repos/acme/web/contents/a.txt").await.status, 404);
    assert_eq!(ids(&github.get(RUNS).await), [] as [Value; 0]);

    sleep(10 * SECOND).await;
    world.add_job(id, simulated_github::Job::new("build").running());
    world.finish_run(id, "success");
    assert_eq!(github.get(&run).await.json()["status"], "queued");
    assert_eq!(github.get(&format!("{run}/jobs")).await.json()["total_count"], 0);
    assert_eq!(github.get("/repos/acme/web/contents/a.txt").await.status, 200);

    sleep(10 * SECOND).await;
    assert_eq!(github.get(&run).await.json()["status"], "completed");
    assert_eq!(github.get(&format!("{run}/jobs")).await.json()["total_count"], 1);
}

#[tokio::test(start_paused = true)]
async fn writes_act_on_the_present_and_survive_an_old_answer() {
    let world = lagging_world();
    let github = client(&world, "t");
    let object = github.post(COMMENTS, json!({ "body": "first" })).await.json();
    let comment = format!("/repos/acme/hub/issues/comments/{}", object["id"]);
    let answer = github.patch(&comment, json!({ "body": "second" })).await;
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("second")));
    assert_eq!(github.get(&comment).await.status, 404);
    assert_eq!(world.issue_view("acme/hub", 1).comments[0].body, "second");
}

#[tokio::test(start_paused = true)]
async fn permissions_and_the_date_are_of_the_present() {
    let world = lagging_world();
    let github = client(&world, "new");
    assert_eq!(github.get(COMMENTS).await.status, 401);
    world.token("new").can("acme/hub", &["issues: read"]);
    sleep(2 * SECOND).await;
    let answer = github.get(COMMENTS).await;
    assert_eq!((answer.status, answer.header("date")), (200, "Mon, 05 Jan 2026 09:00:02 GMT"));
}

#[tokio::test(start_paused = true)]
async fn each_answer_has_a_lag_of_its_own() {
    let world = world();
    let github = client(&world, "t");
    world.fault(Fault::on("GET", "/repos/acme/hub/**").skip(1).then(Kind::Lag(10 * SECOND)));
    world.comment("acme/hub", 1, "alice", "first");
    let mut lengths = Vec::new();
    for _ in 0..3 {
        lengths.push(github.get(COMMENTS).await.each("id").len());
    }
    assert_eq!(lengths, [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_may_have_the_writes_of_its_reader() {
    let world = lagging_world();
    world.lag_shows_own_writes(true);
    world.token("other").can("acme/hub", &["issues: write"]);
    let (mine, other) = (client(&world, "t"), client(&world, "other"));
    let before = world.comment("acme/hub", 1, "alice", "before");
    sleep(10 * SECOND).await;

    let object = mine.post(COMMENTS, json!({ "body": "mine" })).await.json();
    other.post(COMMENTS, json!({ "body": "theirs" })).await;
    let path = format!("/repos/acme/hub/issues/comments/{before}");
    mine.patch(&path, json!({ "body": "edited" })).await;
    mine.post("/repos/acme/hub/issues", json!({ "title": "Mine" })).await;

    assert_eq!(mine.get(COMMENTS).await.each("body"), ["edited", "mine"]);
    assert_eq!(mine.get(ISSUES).await.each("title"), ["Release 1.4.0", "Mine"]);
    assert_eq!(other.get(COMMENTS).await.each("body"), ["before", "theirs"]);
    assert_eq!(other.get(ISSUES).await.each("title"), ["Release 1.4.0"]);

    let path = format!("/repos/acme/hub/issues/comments/{}", object["id"]);
    mine.send("DELETE", &path, Value::Null).await;
    assert_eq!(mine.get(COMMENTS).await.each("body"), ["edited"]);
}

#[tokio::test(start_paused = true)]
async fn only_filtered_lists_of_runs_come_from_the_index() {
    let world = world();
    world.index_lag(60 * SECOND);
    let github = client(&world, "t");
    let id = world.start_run("acme/web", "release.yml", "push");
    let of_workflow = "/repos/acme/web/actions/workflows/release.yml/runs";
    assert_eq!(ids(&github.get(RUNS).await), [id]);
    assert_eq!(ids(&github.get(of_workflow).await), [id]);
    let lists = [
        format!("{RUNS}?event=push"),
        format!("{RUNS}?created=%3E2026-01-01"),
        format!("{of_workflow}?branch=main"),
    ];
    for list in &lists {
        assert_eq!(ids(&github.get(list).await), [] as [Value; 0], "{list}");
    }
    sleep(60 * SECOND).await;
    for list in &lists {
        assert_eq!(ids(&github.get(list).await), [id], "{list}");
    }
}
