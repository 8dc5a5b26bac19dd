//! Reactions to comments through the API.

use std::time::Duration;

use crate::support::{client, world};
use serde_json::{Value, json};
use simulated_github::{World, page};

const ISSUE: &str = "/repos/acme/hub/issues/1/reactions";

/// A world with a comment of a person, the comment's id, and the path of its reactions.
fn world_with_comment() -> (World, u64, String) {
    let world = world();
    let id = world.comment("acme/hub", 1, "alice", "/release go");
    (world, id, format!("/repos/acme/hub/issues/comments/{id}/reactions"))
}

#[tokio::test]
async fn an_account_has_one_reaction_of_a_kind() {
    let (world, id, path) = world_with_comment();
    let github = client(&world, "t");
    let first = github.post(&path, json!({ "content": "eyes" })).await;
    let again = github.post(&path, json!({ "content": "eyes" })).await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json(), again.json());
    assert_eq!(first.json()["user"]["login"], "acme-release[bot]");
    assert_eq!(github.post(&path, json!({ "content": "rocket" })).await.status, 201);
    assert_eq!(world.reactions(id), ["acme-release[bot]: eyes", "acme-release[bot]: rocket"]);
    assert_eq!(
        world.story(),
        "acme/hub#1  comment 1001 got eyes from acme-release[bot]\n\
         acme/hub#1  comment 1001 got rocket from acme-release[bot]"
    );
    let effective: Vec<bool> = world.exchanges().iter().map(|it| it.effective).collect();
    assert_eq!(effective, [true, false, true]);
}

#[tokio::test]
async fn reactions_of_others_are_listed_and_counted() {
    let (world, id, path) = world_with_comment();
    let github = client(&world, "t");
    world.react(id, "dana", "+1");
    world.react(id, "bob", "+1");
    github.post(&path, json!({ "content": "-1" })).await;
    assert_eq!(github.get(&path).await.each("content"), ["+1", "+1", "-1"]);
    let page = github.get(&format!("{path}?content=%2B1&per_page=1")).await;
    assert_eq!((page.each("content"), page.header("link").is_empty()), (vec![json!("+1")], false));
    let comment = github.get(&format!("/repos/acme/hub/issues/comments/{id}")).await.json();
    let counts = &comment["reactions"];
    assert_eq!([&counts["total_count"], &counts["+1"], &counts["-1"], &counts["eyes"]], [3, 2, 1, 0]);
    assert_eq!(world.comment_view(id).map(|comment| comment.updated_at == comment.created_at), Some(true));
}

#[tokio::test]
async fn an_account_takes_back_its_own_reactions_and_no_others() {
    let (world, id, path) = world_with_comment();
    let github = client(&world, "t");
    world.react(id, "dana", "eyes");
    let mine = github.post(&path, json!({ "content": "eyes" })).await.json()["id"].clone();
    let theirs = github.get(&path).await.json()[0]["id"].clone();
    assert_ne!(mine, theirs);
    for (reaction, status) in [(&theirs, 404), (&mine, 204), (&mine, 404)] {
        let answer = github.send("DELETE", &format!("{path}/{reaction}"), Value::Null).await;
        assert_eq!(answer.status, status, "{reaction}");
    }
    assert_eq!(world.reactions(id), ["dana: eyes"]);
    assert!(world.story().ends_with("comment 1001 lost eyes from acme-release[bot]"), "{}", world.story());
}

#[tokio::test]
async fn invalid_reactions_are_refused() {
    let (world, id, path) = world_with_comment();
    let github = client(&world, "t");
    for body in [json!({}), json!({ "content": "" }), json!({ "content": "cat" })] {
        assert_eq!(github.post(&path, body).await.status, 422);
    }
    world.token("reader").can("acme/hub", &["issues: read"]);
    let refusal = client(&world, "reader").post(&path, json!({ "content": "eyes" })).await;
    assert_eq!(refusal.status, 403);
    assert_eq!(refusal.header("x-accepted-github-permissions"), "issues=write; pull_requests=write");
    world.delete_comment("acme/hub", id);
    assert_eq!(github.post(&path, json!({ "content": "eyes" })).await.status, 404);
    assert_eq!(github.get(&path).await.status, 404);
    assert_eq!(world.story(), "");
}

#[tokio::test]
async fn an_issue_and_its_comments_have_reactions_of_their_own() {
    let (world, id, path) = world_with_comment();
    let github = client(&world, "t");
    assert_eq!(github.post(ISSUE, json!({ "content": "eyes" })).await.status, 201);
    assert_eq!(github.post(&path, json!({ "content": "eyes" })).await.status, 201);
    let issue = github.get("/repos/acme/hub/issues/1").await.json();
    assert_eq!(issue["reactions"]["eyes"], 1);
    assert_eq!((world.issue_view("acme/hub", 1).reactions.len(), world.reactions(id).len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_comment_that_a_replica_lacks_takes_no_reactions_yet() {
    let (world, _, old) = world_with_comment();
    world.lag(|_, _| Duration::from_secs(3));
    let github = client(&world, "t");
    assert_eq!(github.post(&old, json!({ "content": "eyes" })).await.status, 201);
    let id = world.comment("acme/hub", 1, "alice", "/release go");
    let path = format!("/repos/acme/hub/issues/comments/{id}/reactions");
    assert_eq!(github.post(&path, json!({ "content": "eyes" })).await.status, 404);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(github.post(&path, json!({ "content": "eyes" })).await.status, 201);
    assert_eq!(github.get(&path).await.each("content"), [""; 0], "the replica lacks the reaction");
    assert_eq!(world.reactions(id), ["acme-release[bot]: eyes"]);
}

#[tokio::test]
async fn the_page_of_an_issue_shows_reactions_below_their_comment() {
    let (world, id, path) = world_with_comment();
    world.react(id, "dana", "+1");
    world.react(id, "bob", "+1");
    client(&world, "t").post(&path, json!({ "content": "rocket" })).await;
    let html = page::issue(&world.issue_view("acme/hub", 1), world.now());
    let (_, comment) = html.split_once(&format!("id=\"issuecomment-{id}\"")).expect("the comment");
    assert!(comment.contains("<span class=label title=\"dana, bob\">👍 2</span>"), "{comment}");
    assert!(comment.contains("<span class=label title=\"acme-release\">🚀 1</span>"), "{comment}");
}
