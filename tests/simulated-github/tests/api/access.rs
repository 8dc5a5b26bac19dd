//! Permissions of tokens.

use crate::support::{anonymous, client, world};
use serde_json::json;

#[tokio::test]
async fn permissions_decide() {
    let world = world();
    world.token("none");
    world.token("reader").can("acme/hub", &["issues: read"]);
    world.token("revoked").can_everything().revoke();
    let new = json!({ "title": "x" });
    let hub = "/repos/acme/hub/issues";
    let web = "/repos/acme/web/issues";
    let cases = [
        ("unknown", "GET", web, 401),
        ("revoked", "GET", web, 401),
        ("none", "GET", hub, 404),
        ("none", "GET", web, 200),
        ("none", "POST", web, 403),
        ("reader", "GET", hub, 200),
        ("reader", "POST", hub, 403),
        ("t", "POST", hub, 201),
        ("t", "POST", web, 403),
        ("t", "GET", "/repos/acme/nothing", 404),
        ("t", "GET", "/user", 403),
    ];
    for (token, method, path, status) in cases {
        let answer = client(&world, token).send(method, path, new.clone()).await;
        assert_eq!(answer.status, status, "{token} {method} {path}");
    }
}

#[tokio::test]
async fn without_a_token_public_things_can_be_read() {
    let world = world();
    let github = anonymous(&world);
    assert_eq!(github.get("/repos/acme/web").await.status, 200);
    assert_eq!(github.get("/repos/acme/hub").await.status, 404);
    let answer = github.post("/repos/acme/web/issues", json!({ "title": "x" })).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_refusal_names_the_missing_permission() {
    let world = world();
    let path = "/repos/acme/web/issues";
    let refusal = client(&world, "t").post(path, json!({ "title": "x" })).await;
    assert_eq!(refusal.message(), "Resource not accessible by integration");
    assert_eq!(refusal.json()["status"], "403");
    assert_eq!(refusal.header("x-accepted-github-permissions"), "issues=write");
}

#[tokio::test]
async fn a_renamed_repository_redirects() {
    let world = world();
    world.rename("acme/web", "acme/site");
    let github = client(&world, "t");
    let id = github.get("/repos/acme/site").await.json()["id"].clone();
    let redirect = github.get("/repos/acme/web/labels?per_page=1").await;
    assert_eq!(redirect.status, 301);
    let url = format!("https://api.github.com/repositories/{id}/labels?per_page=1");
    assert_eq!(redirect.header("location"), url);
    let dispatch = github.post("/repos/acme/web/dispatches", json!({})).await;
    assert_eq!((dispatch.status, dispatch.message()), (307, "Moved Permanently".into()));
    let event = json!({ "event_type": "release" });
    assert_eq!(github.post(&format!("/repositories/{id}/dispatches"), event).await.status, 204);
    world.rename("acme/site", "acme/place");
    assert_eq!(
        github.get("/repos/acme/web").await.header("location"),
        format!("https://api.github.com/repositories/{id}")
    );
    assert_eq!(github.get("/repositories/1/labels").await.status, 404);
}

#[tokio::test]
async fn archived_repositories_are_read_only() {
    let world = world();
    world.repository("acme/hub").archive();
    let github = client(&world, "t");
    let path = "/repos/acme/hub/issues/1/comments";
    assert_eq!(github.post(path, json!({ "body": "x" })).await.status, 403);
    assert_eq!(github.get(path).await.status, 200);
}

#[tokio::test]
async fn a_missing_route_is_loud() {
    let world = world();
    let answer = client(&world, "t").get("/gists").await;
    assert_eq!(answer.status, 501);
    assert_eq!(answer.message(), "simulated GitHub has no route GET /gists");
    assert_eq!(world.unknown_routes(), ["GET /gists"]);
}
