//! Git references through the API.

use crate::support::{client, world};
use serde_json::{Value, json};

const REFS: &str = "/repos/acme/web/git/refs";
const SHA: &str = "aa218f56b14c9653891f9e74264a383fa43fefbd";

#[tokio::test]
async fn the_second_of_two_requests_for_a_ref_is_refused() {
    let world = world();
    let github = client(&world, "t");
    let body = json!({ "ref": "refs/locks/1.4.0", "sha": SHA });
    let answer = github.post(REFS, body.clone()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("location"), "https://api.github.com/repos/acme/web/git/refs/locks/1.4.0");
    assert_eq!(
        (&answer.json()["ref"], &answer.json()["object"]["sha"]),
        (&json!("refs/locks/1.4.0"), &json!(SHA))
    );
    let refusal = github.post(REFS, body.clone()).await;
    assert_eq!((refusal.status, refusal.message().as_str()), (422, "Reference already exists"));

    let path = format!("{REFS}/locks/1.4.0");
    assert_eq!(github.send("DELETE", &path, Value::Null).await.status, 204);
    let second_deletion = github.send("DELETE", &path, Value::Null).await;
    assert_eq!(
        (second_deletion.status, second_deletion.message().as_str()),
        (422, "Reference does not exist")
    );
    assert_eq!(github.post(REFS, body).await.status, 201);
    assert_eq!(
        world.story(),
        "acme/web  ref refs/locks/1.4.0 created\n\
         acme/web  ref refs/locks/1.4.0 deleted\n\
         acme/web  ref refs/locks/1.4.0 created"
    );
    assert_eq!(world.refs("acme/web"), ["refs/heads/main", "refs/locks/1.4.0"]);
    assert_eq!((world.points(), world.content_creations().len()), (25, 0));
}

#[tokio::test]
async fn invalid_refs_are_refused() {
    let world = world();
    let github = client(&world, "t");
    github.post(REFS, json!({ "ref": "refs/locks/a/b", "sha": SHA })).await;
    let components = "Reference name must contain at least three slash-separated components.";
    let cases = [
        ("heads/next", SHA, components),
        ("refs/heads", SHA, components),
        ("refs/heads/", SHA, components),
        ("refs/heads/main", SHA, "Reference already exists"),
        ("refs/locks/a", SHA, "Reference update failed"),
        ("refs/locks/a/b/c", SHA, "Reference update failed"),
        (
            "refs/locks/c",
            "main",
            "The sha parameter must be exactly 40 characters and contain only [0-9a-f].",
        ),
    ];
    for (name, sha, message) in cases {
        let answer = github.post(REFS, json!({ "ref": name, "sha": sha })).await;
        assert_eq!((answer.status, answer.message().as_str()), (422, message), "{name}");
    }
    let path = format!("{REFS}/heads/main");
    assert_eq!(github.send("DELETE", &path, Value::Null).await.status, 422);
    world.token("reader").can("acme/web", &["contents: read"]);
    let answer = client(&world, "reader").post(REFS, json!({ "ref": "refs/locks/c", "sha": SHA })).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn refs_are_found_by_name_and_by_its_beginning() {
    let world = world();
    world.repository("acme/web").branch("next").tag("v1");
    let github = client(&world, "t");
    for name in ["refs/locks/release-1", "refs/locks/release-2", "refs/locks/other"] {
        github.post(REFS, json!({ "ref": name, "sha": SHA })).await;
    }
    let answer = github.get("/repos/acme/web/git/ref/tags/v1").await;
    assert_eq!((answer.status, &answer.json()["ref"]), (200, &json!("refs/tags/v1")));
    assert_eq!(answer.json()["object"]["sha"], world.repository("acme/web").head("v1"));
    assert_eq!(github.get("/repos/acme/web/git/ref/locks/release").await.status, 404);

    let matching = "/repos/acme/web/git/matching-refs";
    let list = github.get(&format!("{matching}/locks/release")).await;
    assert_eq!(list.each("ref"), ["refs/locks/release-1", "refs/locks/release-2"]);
    let page = github.get(&format!("{matching}/locks/?per_page=1")).await;
    assert_eq!(page.each("ref"), ["refs/locks/other"]);
    assert!(page.header("link").contains("rel=\"next\""));
    assert_eq!(github.get(&format!("{matching}/heads/nothing")).await.each("ref"), [] as [Value; 0]);
}

#[tokio::test]
async fn a_branch_of_the_api_can_be_used() {
    let world = world();
    let repository = world.repository("acme/web").file("a.txt", "one");
    let github = client(&world, "t");
    let body = json!({ "ref": "refs/heads/next", "sha": repository.head("main") });
    github.post(REFS, body).await;
    assert_eq!(github.get("/repos/acme/web/contents/a.txt?ref=next").await.status, 200);
    let dispatches = "/repos/acme/web/actions/workflows/release.yml/dispatches";
    let body = json!({ "ref": "next", "inputs": { "channel": "beta" } });
    assert_eq!(github.post(dispatches, body).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_lacks_a_new_ref() {
    let world = world();
    world.lag(|_, _| std::time::Duration::from_secs(10));
    let github = client(&world, "t");
    let body = json!({ "ref": "refs/locks/1.4.0", "sha": SHA });
    assert_eq!(github.post(REFS, body.clone()).await.status, 201);
    assert_eq!(github.get("/repos/acme/web/git/ref/locks/1.4.0").await.status, 404);
    assert_eq!(github.post(REFS, body).await.status, 422);
}
