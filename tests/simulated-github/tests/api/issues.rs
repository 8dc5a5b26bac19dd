//! Issues and comments through the API.

use crate::support::{client, world};
use serde_json::{Value, json};
use simulated_github::World;

const ISSUES: &str = "/repos/acme/hub/issues";
const ISSUE: &str = "/repos/acme/hub/issues/1";
const COMMENTS: &str = "/repos/acme/hub/issues/1/comments";

#[tokio::test]
async fn the_story_has_a_line_for_each_effect() {
    let world = world();
    let github = client(&world, "t");
    let new = json!({ "title": "Release 1.5.0", "labels": ["release"], "assignees": ["alice"] });
    github.post(ISSUES, new).await;
    github.post(COMMENTS, json!({ "body": "Started" })).await;
    let comment = "/repos/acme/hub/issues/comments/1001";
    github.patch(comment, json!({ "body": "Done" })).await;
    github.patch(comment, json!({ "body": "Done" })).await;
    github.send("PUT", &format!("{comment}/pin"), Value::Null).await;
    let body = json!({ "state": "closed", "state_reason": "duplicate" });
    github.patch("/repos/acme/hub/issues/2", body).await;
    let story = "\
acme/hub#2  opened by acme-release[bot]: Release 1.5.0
acme/hub#2  labelled release
acme/hub#2  assigned alice
acme/hub#1  comment 1001 added
acme/hub#1  comment 1001 edited
acme/hub#1  comment 1001 pinned
acme/hub#2  closed as duplicate";
    assert_eq!(world.story(), story);
    let effective: Vec<bool> = world.exchanges().iter().map(|it| it.effective).collect();
    assert_eq!(effective, [true, true, true, false, true, true]);
}

#[tokio::test]
async fn pages_are_linked_and_each_is_read_at_its_own_moment() {
    let world = world();
    for number in 0..5 {
        world.comment("acme/hub", 1, "mallory", &format!("{number}"));
    }
    let github = client(&world, "t");
    let first = github.get(&format!("{COMMENTS}?per_page=2")).await;
    assert_eq!(first.each("id"), [1001, 1002]);
    let url = format!("https://api.github.com{COMMENTS}?per_page=2");
    assert_eq!(first.header("link"), format!("<{url}&page=2>; rel=\"next\", <{url}&page=3>; rel=\"last\""));
    world.delete_comment("acme/hub", 1001);
    let second = github.get(&format!("{COMMENTS}?per_page=2&page=2")).await;
    assert_eq!(second.each("id"), [1004, 1005]);
}

#[tokio::test(start_paused = true)]
async fn since_counts_edits_to_the_whole_second() {
    let world = world();
    let old = world.comment("acme/hub", 1, "mallory", "old");
    tokio::time::sleep(std::time::Duration::from_millis(5_700)).await;
    world.comment("acme/hub", 1, "mallory", "new");
    let github = client(&world, "t");
    let since = format!("{COMMENTS}?since=2026-01-05T09:00:05Z");
    assert_eq!(github.get(&since).await.each("id"), [1002]);
    world.edit_comment(old, "edited");
    assert_eq!(github.get(&since).await.each("id"), [1001, 1002]);
}

#[tokio::test]
async fn authors_have_their_association_with_the_repository() {
    let world = world();
    world.comment("acme/hub", 1, "mallory", "x");
    world.comment("acme/hub", 1, "alice", "x");
    world.comment("acme/hub", 1, "acme-release[bot]", "x");
    let comments = client(&world, "t").get(COMMENTS).await;
    assert_eq!(comments.each("author_association"), ["NONE", "MEMBER", "NONE"]);
    let kinds: Vec<Value> = comments.each("user").iter().map(|it| it["type"].clone()).collect();
    assert_eq!(kinds, ["User", "User", "Bot"]);
}

#[tokio::test]
async fn without_push_access_labels_and_assignees_are_dropped_in_silence() {
    let world = world();
    world.token("t").without_push("acme/hub");
    let new = json!({ "title": "x", "labels": ["release"], "assignees": ["nobody"] });
    let answer = client(&world, "t").post(ISSUES, new).await;
    assert_eq!(answer.status, 201);
    let issue = world.issue_view("acme/hub", 2);
    assert!(issue.labels.is_empty() && issue.assignees.is_empty());
}

#[tokio::test]
async fn invalid_issues_are_refused() {
    let world = world();
    let github = client(&world, "t");
    let cases = [
        json!({}),
        json!({ "title": "" }),
        json!({ "title": "x", "assignees": ["nobody"] }),
        json!({ "title": "x", "body": "x".repeat(65_537) }),
    ];
    for body in cases {
        assert_eq!(github.post(ISSUES, body).await.status, 422);
    }
    world.repository("acme/hub").issues_off();
    assert_eq!(github.post(ISSUES, json!({ "title": "x" })).await.status, 410);
}

#[tokio::test]
async fn a_label_has_fifty_characters_at_most_and_the_refusal_of_an_issue_names_it() {
    let world = world();
    let github = client(&world, "t");
    let (fits, long) = ("x".repeat(50), "x".repeat(51));
    let refusal = github.post(ISSUES, json!({ "title": "x", "labels": [fits, long] })).await;
    let problem = json!([{ "value": long, "resource": "Label", "field": "name", "code": "invalid" }]);
    assert_eq!((refusal.status, &refusal.json()["errors"]), (422, &problem));
    assert_eq!(github.post(&format!("{ISSUE}/labels"), json!({ "labels": [long] })).await.status, 422);
    let refusal = github.post("/repos/acme/hub/labels", json!({ "name": long })).await;
    let reason = &refusal.json()["errors"][0]["message"];
    assert_eq!(reason, "name is too long (maximum is 50 characters)");
    assert_eq!(github.post(ISSUES, json!({ "title": "x", "labels": [fits] })).await.status, 201);
}

#[tokio::test]
async fn an_over_long_body_update_answers_200_and_keeps_the_old_text() {
    let world = world();
    let github = client(&world, "t");
    let long = json!({ "body": "x".repeat(65_537) });
    let answer = github.patch(ISSUE, long.clone()).await;
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("Ready?")));
    let refusal = github.post(COMMENTS, long).await;
    assert_eq!(refusal.status, 422);
    let problem = &refusal.json()["errors"][0]["message"];
    assert_eq!(problem, "body is too long (maximum is 65536 characters)");
}

#[tokio::test]
async fn a_locked_conversation_takes_comments_of_people_with_push_access_only() {
    let world = world();
    world.token("p").acts_as("alice").can("acme/hub", &["issues: write"]);
    world.lock_issue("acme/hub", 1);
    let body = json!({ "body": "x" });
    let refusal = client(&world, "t").post(COMMENTS, body.clone()).await;
    assert_eq!(refusal.status, 403);
    assert_eq!(refusal.message(), "Unable to create comment because issue is locked.");
    assert_eq!(client(&world, "p").post(COMMENTS, body).await.status, 201);
}

#[tokio::test]
async fn deleted_issues_are_gone_and_transferred_ones_redirect() {
    let world = world();
    world.repository("acme/other").private();
    world.token("t").can("acme/other", &["issues: write"]);
    world.issue("acme/hub", "Another", "", "alice");
    world.delete_issue("acme/hub", 1);
    let number = world.transfer_issue("acme/hub", 2, "acme/other");
    let github = client(&world, "t");
    assert_eq!(github.get(ISSUE).await.status, 410);
    let redirect = github.get("/repos/acme/hub/issues/2").await;
    assert_eq!(redirect.status, 301);
    let id = github.get("/repos/acme/other").await.json()["id"].clone();
    let url = format!("https://api.github.com/repositories/{id}/issues/{number}");
    assert_eq!(redirect.header("location"), url);
    assert_eq!(github.get("/repos/acme/hub/issues/2/comments").await.status, 404);
}

#[tokio::test]
async fn issues_are_found_by_state_labels_and_people() {
    let world = world();
    world.issue("acme/hub", "Two", "", "bob");
    world.label_issue("acme/hub", 2, "release");
    world.label_issue("acme/hub", 2, "urgent");
    world.label_issue("acme/hub", 1, "release");
    world.assign_issue("acme/hub", 1, "alice");
    world.close_issue("acme/hub", 1);
    let github = client(&world, "t");
    let cases = [
        ("", vec![2]),
        ("?state=all", vec![2, 1]),
        ("?state=all&direction=asc", vec![1, 2]),
        ("?state=closed", vec![1]),
        ("?state=all&labels=release,urgent", vec![2]),
        ("?state=all&labels=Release", vec![2, 1]),
        ("?state=all&creator=bob", vec![2]),
        ("?state=all&assignee=alice", vec![1]),
        ("?state=all&assignee=none", vec![2]),
    ];
    for (query, expected) in cases {
        let list = github.get(&format!("{ISSUES}{query}")).await;
        assert_eq!(list.each("number"), expected, "{query}");
    }
}

#[tokio::test]
async fn an_old_enterprise_server_pins_no_comments() {
    let world: World = world();
    let id = world.comment("acme/hub", 1, "alice", "x");
    let github = client(&world, "t");
    let pin = format!("/api/v3/repos/acme/hub/issues/comments/{id}/pin");
    world.ghes("3.19");
    assert_eq!(github.send("PUT", &pin, Value::Null).await.status, 404);
    world.ghes("3.20");
    assert_eq!(github.send("PUT", &pin, Value::Null).await.status, 200);
}

#[tokio::test]
async fn an_issue_takes_2500_comments() {
    let world = world();
    world.comments("acme/hub", 1, "alice", 2_499);
    let github = client(&world, "t");
    let last = github.post(COMMENTS, json!({ "body": "the last one" })).await;
    assert_eq!(last.status, 201);
    let refusal = github.post(COMMENTS, json!({ "body": "one too many" })).await;
    assert_eq!(refusal.status, 403);
    assert_eq!(refusal.message(), "Commenting is disabled on issues with more than 2500 comments");
    assert_eq!(world.issue_view("acme/hub", 1).comments.len(), 2_500);

    let comment = format!("/repos/acme/hub/issues/comments/{}", last.json()["id"]);
    assert_eq!(github.patch(&comment, json!({ "body": "edited" })).await.status, 200);
    assert_eq!(github.send("DELETE", &comment, Value::Null).await.status, 204);
    assert_eq!(github.post(COMMENTS, json!({ "body": "again" })).await.status, 201);
}

#[tokio::test]
async fn a_hidden_comment_has_a_reason() {
    let world = world();
    let id = world.comment("acme/hub", 1, "alice", "x");
    let path = format!("/repos/acme/hub/issues/comments/{id}");
    let github = client(&world, "t");
    assert_eq!(github.get(&path).await.json()["minimized"], Value::Null);
    world.minimize_comment(id, "outdated");
    assert_eq!(github.get(&path).await.json()["minimized"]["reason"], "outdated");
}
