//! Commits through the API.

use std::time::Duration;

use crate::support::{client, world};
use serde_json::json;

const COMMITS: &str = "/repos/acme/web/commits";

#[tokio::test]
async fn a_commit_is_found_by_branch_tag_and_hash() {
    let world = world();
    let repository = world.repository("acme/web").branch("release/1.x").tag("v1");
    let first = repository.head("main");
    let second = world.push("acme/web", "main");
    assert_ne!(first, second);
    let github = client(&world, "t");
    let cases = [
        ("main", &second),
        ("heads%2Fmain", &second),
        ("refs%2Fheads%2Fmain", &second),
        (&second, &second),
        ("v1", &first),
        ("tags%2Fv1", &first),
        ("heads%2Frelease%2F1.x", &first),
        ("release%2F1.x", &first),
        (&first, &first),
    ];
    for (name, sha) in cases {
        let answer = github.get(&format!("{COMMITS}/{name}?per_page=1")).await;
        assert_eq!((answer.status, &answer.json()["sha"]), (200, &json!(sha)), "{name}");
    }
    let commit = github.get(&format!("{COMMITS}/main")).await.json();
    assert_eq!(commit["parents"][0]["sha"], first);
    assert_eq!(commit["html_url"], format!("https://github.com/acme/web/commit/{second}"));
}

#[tokio::test]
async fn a_push_moves_one_branch_and_keeps_its_files() {
    let world = world();
    let repository = world.repository("acme/web").branch("next").file_on("next", "a.txt", "one");
    let main = repository.head("main");
    let next = world.push("acme/web", "next");
    assert_eq!((repository.head("main"), repository.head("next")), (main, next));
    assert_eq!(client(&world, "t").get("/repos/acme/web/contents/a.txt?ref=next").await.status, 200);
    let new = world.push("acme/web", "new");
    assert_eq!(repository.head("new"), new);
    assert_eq!(world.story(), "", "people push");
}

#[tokio::test]
async fn a_ref_that_is_not_there_has_no_commit() {
    let world = world();
    let github = client(&world, "t");
    for name in ["v9", "heads%2Fnothing", "tags%2Fmain", "c0ffee5ca1ab1ec0ffee5ca1ab1ec0ffee5ca1ab"] {
        let answer = github.get(&format!("{COMMITS}/{name}")).await;
        let text = name.replace("%2F", "/");
        assert_eq!((answer.status, answer.message()), (422, format!("No commit found for SHA: {text}")));
    }
    assert_eq!(github.get("/repos/acme/nothing/commits/main").await.status, 404);
}

#[tokio::test]
async fn commits_of_a_private_repository_take_a_permission() {
    let world = world();
    world.repository("acme/web").private();
    world.token("starter").can("acme/web", &["actions: write"]);
    world.token("stranger").can("acme/hub", &["contents: read"]);
    assert_eq!(client(&world, "t").get(&format!("{COMMITS}/main")).await.status, 200);
    let refusal = client(&world, "starter").get(&format!("{COMMITS}/main")).await;
    assert_eq!((refusal.status, refusal.header("x-accepted-github-permissions")), (403, "contents=read"));
    assert_eq!(client(&world, "stranger").get(&format!("{COMMITS}/main")).await.status, 404);
}

#[tokio::test]
async fn a_run_keeps_its_commit() {
    let world = world();
    let github = client(&world, "t");
    let start = async || {
        let body = json!({ "ref": "main", "inputs": { "channel": "beta" }, "return_run_details": true });
        let path = "/repos/acme/web/actions/workflows/release.yml/dispatches";
        github.post(path, body).await.json()["workflow_run_id"].as_u64().expect("a run")
    };
    let before = world.repository("acme/web").head("main");
    let first = start().await;
    let after = world.push("acme/web", "main");
    let second = start().await;
    world.finish_run(first, "failure");
    world.rerun(first);
    let job = world.add_job(first, simulated_github::Job::new("build"));
    for (run, sha) in [(first, &before), (second, &after)] {
        let object = github.get(&format!("/repos/acme/web/actions/runs/{run}")).await.json();
        assert_eq!((&object["head_sha"], &object["head_commit"]["id"]), (&json!(sha), &json!(sha)));
    }
    let object = github.get(&format!("/repos/acme/web/actions/jobs/{job}")).await.json();
    assert_eq!(object["head_sha"], before);
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_shows_where_a_branch_was() {
    let world = world();
    world.lag(|_, _| Duration::from_secs(10));
    let before = world.repository("acme/web").head("main");
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.push("acme/web", "main");
    let object = client(&world, "t").get(&format!("{COMMITS}/main")).await.json();
    assert_eq!(object["sha"], before);
}
