//! People: their roles in a repository, and the events of their comments.

use crate::support::{client, world};
use serde_json::{Value, json};

#[tokio::test]
async fn a_permission_is_the_old_word_for_a_role() {
    let world = world();
    world
        .repository("acme/hub")
        .role("tess", "triage")
        .role("mia", "maintain")
        .role("rhea", "read")
        .custom_role("cora", "Release manager", "write");
    world.user("mallory");
    let cases = [
        ("acme", "admin", "admin"),
        ("alice", "write", "write"),
        ("tess", "read", "triage"),
        ("mia", "write", "maintain"),
        ("rhea", "read", "read"),
        ("cora", "write", "Release manager"),
        ("mallory", "none", "none"),
    ];
    let github = client(&world, "t");
    for (login, permission, role) in cases {
        let answer = github.get(&format!("/repos/acme/hub/collaborators/{login}/permission")).await.json();
        assert_eq!(
            (&answer["permission"], &answer["role_name"]),
            (&json!(permission), &json!(role)),
            "{login}"
        );
        assert_eq!((&answer["user"]["login"], &answer["user"]["role_name"]), (&json!(login), &json!(role)));
        assert_eq!(answer["user"]["permissions"]["push"], permission != "none" && permission != "read");
        let id = &github.get(&format!("/users/{login}")).await.json()["id"];
        assert_eq!(&answer["user"]["id"], id, "{login}");
    }
    let answer = github.get("/repos/acme/web/collaborators/mallory/permission").await.json();
    assert_eq!([&answer["permission"], &answer["role_name"]], ["read", "read"], "anybody reads a public one");
    let refusal = github.get("/repos/acme/web/collaborators/nobody/permission").await;
    assert_eq!((refusal.status, refusal.message()), (404, "nobody is not a user".to_owned()));
}

#[tokio::test]
async fn the_event_of_a_comment_has_the_objects_of_the_api() {
    let world = world();
    world.issue("acme/hub", "Another", "", "bob");
    let id = world.comment("acme/hub", 1, "alice", "/release go");
    let event = world.comment_event(id, "created");
    let github = client(&world, "t");
    let comment = github.get(&format!("/repos/acme/hub/issues/comments/{id}")).await.json();
    assert_eq!((&event["action"], &event["comment"]), (&json!("created"), &comment));
    assert_eq!(comment["html_url"], format!("https://github.com/acme/hub/issues/1#issuecomment-{id}"));
    assert_eq!((&event["issue"]["number"], &event["issue"]["state"]), (&json!(1), &json!("open")));
    assert_eq!(event["sender"], comment["user"]);
    assert_eq!(event["sender"]["type"], "User");
    assert_eq!(event["repository"]["full_name"], "acme/hub");
    assert_eq!(event["repository"]["owner"]["login"], "acme");
    assert_eq!(event["organization"]["login"], "acme");
    assert_eq!((event["issue"].get("pull_request"), event["repository"].get("permissions")), (None, None));
    assert_eq!(world.exchanges().len(), 1, "an event is not a request");
}

#[tokio::test]
async fn the_event_of_an_edit_has_the_old_text_and_the_editor() {
    let world = world();
    let id = world.comment("acme/hub", 1, "alice", "/release no-go");
    world.edit_comment(id, "/release go");
    let event = world.comment_event_by(id, "edited", "mallory");
    assert_eq!(event["changes"]["body"]["from"], "/release no-go");
    assert_eq!(event["comment"]["body"], "/release go");
    assert_eq!([&event["sender"]["login"], &event["comment"]["user"]["login"]], ["mallory", "alice"]);
    assert_eq!(world.comment_event(id, "deleted").get("changes"), None);
}

#[tokio::test]
async fn an_event_says_that_its_sender_is_a_bot_and_its_issue_a_pull_request() {
    let world = world();
    let number = world.pull_request("acme/web", "Fix", "bob");
    let id = world.comment("acme/web", number, "acme-release[bot]", "Done");
    let event = world.comment_event(id, "created");
    assert_eq!(event["sender"]["type"], "Bot");
    let url = format!("https://api.github.com/repos/acme/web/pulls/{number}");
    assert_eq!(event["issue"]["pull_request"]["url"], url);
    let issues = client(&world, "t").get("/repos/acme/web/issues").await.json();
    assert_eq!(issues[0]["pull_request"]["url"], url);
}

/// The paths of the fields of an object and of all objects in it.
fn fields(value: &Value) -> Vec<String> {
    let Value::Object(object) = value else { return Vec::new() };
    let paths = |(name, value): (&String, &Value)| {
        let below = fields(value).into_iter().map(|field| format!("{name}/{field}")).collect::<Vec<_>>();
        std::iter::once(name.clone()).chain(below).collect::<Vec<_>>()
    };
    object.iter().flat_map(paths).collect()
}

/// The list has fields of real events, from an organization's repository in 2026.
#[tokio::test]
async fn an_event_has_the_fields_of_real_ones() {
    let world = world();
    let id = world.comment("acme/hub", 1, "alice", "/release go");
    let event = world.comment_event(id, "created");
    let answer = fields(&event);
    for field in [
        "action",
        "issue/id",
        "issue/node_id",
        "issue/labels",
        "issue/assignees",
        "issue/author_association",
        "issue/active_lock_reason",
        "issue/reactions/total_count",
        "issue/user/id",
        "comment/id",
        "comment/issue_url",
        "comment/created_at",
        "comment/updated_at",
        "comment/author_association",
        "comment/performed_via_github_app",
        "comment/user/id",
        "comment/user/html_url",
        "comment/reactions/eyes",
        "repository/id",
        "repository/private",
        "repository/visibility",
        "repository/default_branch",
        "repository/html_url",
        "organization/id",
        "sender/id",
        "sender/type",
    ] {
        assert!(answer.iter().any(|name| name == field), "{field} is missing among {answer:#?}");
    }
}
