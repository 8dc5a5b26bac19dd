//! Teams of organizations through the API.

use crate::apps::{app, mint};
use crate::support::{anonymous, client, world};
use serde_json::{Value, json};
use simulated_github::World;

const TEAM: &str = "/orgs/acme/teams/release";

/// A world with a team, and a token that may read the members of its organization.
fn world_with_team() -> World {
    let world = world();
    world.team("acme/release").maintainer("alice").member("Dana").invitee("eve");
    world.token("m").acts_as("acme-release[bot]").can("acme", &["members: read"]);
    world
}

#[tokio::test]
async fn a_membership_has_a_state_and_a_role() {
    let world = world_with_team();
    let github = client(&world, "m");
    let cases =
        [("alice", "active", "maintainer"), ("dana", "active", "member"), ("EVE", "pending", "member")];
    for (login, state, role) in cases {
        let answer = github.get(&format!("{TEAM}/memberships/{login}")).await;
        let membership = answer.json();
        assert_eq!(
            (answer.status, &membership["state"], &membership["role"]),
            (200, &json!(state), &json!(role))
        );
    }
    for path in [format!("{TEAM}/memberships/mallory"), "/orgs/acme/teams/no/memberships/alice".to_owned()] {
        assert_eq!(github.get(&path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn members_are_listed_without_those_who_are_only_invited() {
    let world = world_with_team();
    let github = client(&world, "m");
    assert_eq!(github.get(&format!("{TEAM}/members")).await.each("login"), ["alice", "Dana"]);
    assert_eq!(github.get(&format!("{TEAM}/members?role=maintainer")).await.each("login"), ["alice"]);
    let page = github.get(&format!("{TEAM}/members?per_page=1")).await;
    assert_eq!((page.each("login").len(), page.header("link").contains("rel=\"next\"")), (1, true));
    assert_eq!(github.get("/orgs/ACME/teams/release/members").await.status, 200);
    assert_eq!(github.get("/orgs/acme/teams/no/members").await.status, 404);
}

#[tokio::test]
async fn teams_take_a_permission_of_the_organization() {
    let world = world_with_team();
    world.token("stranger").can("globex/site", &["issues: write"]);
    world.token("dana").acts_as("dana").can("acme/hub", &["issues: write"]);
    world.token("every").can_everything();
    let integration = "Resource not accessible by integration";
    let cases = [
        ("m", 200, ""),
        ("every", 200, ""),
        ("t", 403, integration),
        ("dana", 403, "Resource not accessible by personal access token"),
        ("stranger", 404, "Not Found"),
    ];
    for (token, status, message) in cases {
        for path in [format!("{TEAM}/members"), format!("{TEAM}/memberships/alice")] {
            let answer = client(&world, token).get(&path).await;
            assert_eq!((answer.status, answer.message().as_str()), (status, message), "{token} {path}");
            let header = answer.header("x-accepted-github-permissions");
            assert_eq!(header, if status == 404 { "" } else { "members=read" }, "{token} {path}");
        }
    }
    assert_eq!(anonymous(&world).get(&format!("{TEAM}/members")).await.status, 401);
}

#[tokio::test]
async fn an_app_reads_the_members_of_the_organization_on_which_it_is_installed() {
    let world = world_with_team();
    world.team("globex/release").member("alice");
    let (app, jwt) = app(&world);
    app.installed_on("acme", &["members: read", "issues: write"]).installed_on("globex", &["members: read"]);
    let token = async |permissions: Value| {
        let answer = mint(&world, &jwt, json!({ "permissions": permissions })).await;
        answer.json()["token"].as_str().expect("a token").to_owned()
    };
    let with = token(json!({ "members": "read" })).await;
    let without = token(json!({ "issues": "write" })).await;
    assert_eq!(client(&world, &with).get(&format!("{TEAM}/members")).await.status, 200);
    assert_eq!(client(&world, &without).get(&format!("{TEAM}/members")).await.status, 403);
    assert_eq!(client(&world, &with).get("/orgs/globex/teams/release/members").await.status, 404);
}
