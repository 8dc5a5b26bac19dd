//! Releases, comparisons and reviews of runs through the API.

use serde_json::json;
use simulated_github::{Environment, Job, Release};

use crate::support::{client, world};

const RELEASES: &str = "/repos/acme/web/releases";

#[tokio::test]
async fn a_release_makes_its_tag_and_is_found_by_it() {
    let world = world();
    let github = client(&world, "t");
    let head = world.head("acme/web", "main");
    let body = json!({ "tag_name": "v1.4.0", "target_commitish": head, "name": "1.4.0", "body": "Faster." });
    let answer = github.post(RELEASES, body.clone()).await;
    assert_eq!((answer.status, answer.json()["name"].clone()), (201, json!("1.4.0")));
    world.push("acme/web", "main");
    assert_eq!(world.head("acme/web", "v1.4.0"), head, "the tag stays where it was made");
    let release = github.get(&format!("{RELEASES}/tags/v1.4.0")).await.json();
    assert_eq!((&release["body"], &release["draft"]), (&json!("Faster."), &json!(false)));
    let again = github.post(RELEASES, body).await;
    assert_eq!((again.status, again.json()["errors"][0]["code"].clone()), (422, json!("already_exists")));
    assert_eq!(world.story(), "acme/web  release v1.4.0 published");
}

#[tokio::test]
async fn a_draft_is_listed_for_tokens_that_may_write_and_not_found_by_its_tag() {
    let world = world();
    world.release("acme/web", Release::new("v1.3.0").notes("Older."));
    world.release("acme/web", Release::new("v1.4.0").draft());
    world.token("reader").can("acme/web", &["contents: read"]);
    let tags = async |token| client(&world, token).get(RELEASES).await.each("tag_name");
    assert_eq!(tags("t").await, ["v1.4.0", "v1.3.0"]);
    assert_eq!(tags("reader").await, ["v1.3.0"]);
    assert_eq!(client(&world, "t").get(&format!("{RELEASES}/tags/v1.4.0")).await.status, 404);
    assert!(!world.refs("acme/web").contains(&"refs/tags/v1.4.0".to_owned()));
}

#[tokio::test]
async fn an_edit_changes_the_notes_alone() {
    let world = world();
    let id = world.release("acme/web", Release::new("v1.3.0").notes("Older."));
    let release =
        client(&world, "t").patch(&format!("{RELEASES}/{id}"), json!({ "body": "New." })).await.json();
    assert_eq!((&release["body"], &release["tag_name"]), (&json!("New."), &json!("v1.3.0")));
    assert_eq!(world.story(), "acme/web  release v1.3.0 edited");
}

#[tokio::test]
async fn a_name_that_git_does_not_take_and_notes_that_are_too_long_are_refused() {
    let world = world();
    let github = client(&world, "t");
    for body in [
        json!({ "tag_name": "Release 1.4.0" }),
        json!({ "tag_name": "v1..4" }),
        json!({ "tag_name": "v1", "body": "x".repeat(125_001) }),
        json!({ "tag_name": "v1", "target_commitish": "nothing" }),
    ] {
        assert_eq!(github.post(RELEASES, body.clone()).await.status, 422, "{body}");
    }
    assert!(world.releases("acme/web").is_empty());
}

#[tokio::test]
async fn a_comparison_lists_the_commits_that_only_the_head_has() {
    let world = world();
    world.repository("acme/web").tag("v1");
    for message in ["Cache more\n\nIt was slow.", "Cache less"] {
        world.push_with_message("acme/web", "main", message);
    }
    let github = client(&world, "t");
    let ahead = github.get("/repos/acme/web/compare/v1...main").await.json();
    assert_eq!((&ahead["status"], &ahead["ahead_by"]), (&json!("ahead"), &json!(2)));
    assert_eq!(ahead["commits"][0]["commit"]["message"], "Cache more\n\nIt was slow.");
    assert_eq!(ahead["html_url"], "https://github.com/acme/web/compare/v1...main");
    let behind = github.get("/repos/acme/web/compare/main...v1").await.json();
    assert_eq!((&behind["status"], &behind["behind_by"]), (&json!("behind"), &json!(2)));
    assert_eq!(github.get("/repos/acme/web/compare/v9...main").await.status, 404);
}

#[tokio::test]
async fn an_approval_names_its_reviewer() {
    let world = world();
    let run = world.start_run("acme/web", "release.yml", "push");
    let production = Environment::new("production").reviewer("acme/sre").reviewer("dana");
    world.add_job(run, Job::new("deploy").waiting_for(production));
    let path = format!("/repos/acme/web/actions/runs/{run}/approvals");
    let github = client(&world, "t");
    assert_eq!(github.get(&path).await.json(), json!([]));
    world.approve(run, "production");
    let approvals = github.get(&path).await.json();
    assert_eq!(
        (&approvals[0]["user"]["login"], &approvals[0]["state"]),
        (&json!("dana"), &json!("approved"))
    );
    assert_eq!(approvals[0]["environments"][0]["name"], "production");
}
