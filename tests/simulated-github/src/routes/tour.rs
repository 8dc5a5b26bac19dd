//! Drives every route of the table once, and compares each exchange with GitHub's
//! description of its API.

use std::io::Write;

use axum::body::Body;
use axum::http;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::conformance::{Description, json_schema};
use crate::key;
use crate::run::Job;
use crate::{Environment, Exchange, Release, World};

const RELEASE: &str = "
name: Release
run-name: Release ${{ inputs.channel }}
on:
  workflow_dispatch:
    inputs:
      channel: { type: choice, options: [stable, beta], default: stable }
  repository_dispatch:
    types: [release]
";

const REQUESTS: &[(&str, &str, &str)] = &[
    ("GET", "/meta", ""),
    ("GET", "/repos/acme/web/installation", ""),
    ("GET", "/repos/acme/nothing/installation", ""),
    ("GET", "/users/acme/installation", ""),
    (
        "POST",
        "/app/installations/80001/access_tokens",
        r#"{"repositories":["web"],"permissions":{"issues":"write","metadata":"read"}}"#,
    ),
    ("POST", "/app/installations/80001/access_tokens", r#"{"repositories":["nothing"]}"#),
    ("POST", "/app/installations/80001/access_tokens", r#"{"permissions":{"contents":"write"}}"#),
    ("DELETE", "/installation/token", ""),
    ("GET", "/rate_limit", ""),
    ("GET", "/user", ""),
    ("GET", "/users/bob", ""),
    ("GET", "/repos/acme/web", ""),
    ("GET", "/repos/acme/web/contents/.github/workflows/release.yml", ""),
    ("GET", "/repos/acme/web/contents/.github", ""),
    ("GET", "/repos/acme/web/contents/.github/workflows?ref=main", ""),
    ("GET", "/repos/acme/web/contents/nothing", ""),
    ("GET", "/repos/acme/web/collaborators/bob", ""),
    ("GET", "/repos/acme/web/collaborators/bob/permission", ""),
    ("GET", "/repos/acme/web/collaborators/nobody/permission", ""),
    ("GET", "/repos/acme/web/commits/main?per_page=1", ""),
    ("GET", "/repos/acme/web/commits/heads%2Fmain", ""),
    ("GET", "/repos/acme/web/commits/nothing", ""),
    ("GET", "/repos/acme/web/compare/v1.0.0...main?per_page=100", ""),
    ("GET", "/repos/acme/web/compare/v1.0.0...nothing", ""),
    (
        "POST",
        "/repos/acme/web/releases",
        r#"{"tag_name":"v1.1.0","target_commitish":"main","name":"1.1.0","body":"Faster."}"#,
    ),
    ("POST", "/repos/acme/web/releases", r#"{"tag_name":"v1.1.0"}"#),
    ("GET", "/repos/acme/web/releases?per_page=100", ""),
    ("GET", "/repos/acme/web/attestations/sha256:0f3c", ""),
    ("GET", "/repos/acme/web/attestations/sha256:none", ""),
    ("GET", "/repos/acme/web/releases/latest", ""),
    ("GET", "/repos/acme/web/releases/901", ""),
    ("GET", "/repos/acme/web/releases/tags/v1.1.0", ""),
    ("GET", "/repos/acme/web/releases/tags/v9", ""),
    ("PATCH", "/repos/acme/web/releases/902", r#"{"body":"Much faster."}"#),
    ("GET", "/orgs/acme/teams/release/members?role=all&per_page=1", ""),
    ("GET", "/orgs/acme/teams/release/memberships/bob", ""),
    ("GET", "/orgs/acme/teams/release/memberships/nobody", ""),
    (
        "POST",
        "/repos/acme/web/git/refs",
        r#"{"ref":"refs/locks/release","sha":"aa218f56b14c9653891f9e74264a383fa43fefbd"}"#,
    ),
    (
        "POST",
        "/repos/acme/web/git/refs",
        r#"{"ref":"refs/locks/release","sha":"aa218f56b14c9653891f9e74264a383fa43fefbd"}"#,
    ),
    ("GET", "/repos/acme/web/git/ref/locks/release", ""),
    ("GET", "/repos/acme/web/git/ref/locks/nothing", ""),
    ("GET", "/repos/acme/web/git/matching-refs/locks/rel", ""),
    ("DELETE", "/repos/acme/web/git/refs/locks/release", ""),
    ("DELETE", "/repos/acme/web/git/refs/locks/release", ""),
    (
        "POST",
        "/repos/acme/web/issues",
        r#"{"title":"Two","body":"text","labels":["release"],"assignees":["bob"]}"#,
    ),
    ("POST", "/repos/acme/web/issues", r#"{"title":"Three","assignees":["nobody"]}"#),
    ("GET", "/repos/acme/web/issues?state=all&labels=release&sort=updated&direction=asc&per_page=1", ""),
    ("GET", "/repos/acme/web/issues/1", ""),
    ("GET", "/repos/acme/web/issues/99", ""),
    ("PATCH", "/repos/acme/web/issues/2", r#"{"title":"2","body":"new","labels":["a"],"assignees":[]}"#),
    (
        "PATCH",
        "/repos/acme/web/issues/2",
        r#"{"state":"closed","state_reason":"duplicate","duplicate_issue_id":5001}"#,
    ),
    ("PUT", "/repos/acme/web/issues/2/lock", r#"{"lock_reason":"resolved"}"#),
    ("DELETE", "/repos/acme/web/issues/2/lock", ""),
    ("POST", "/repos/acme/web/issues/1/comments", r#"{"body":"Hello"}"#),
    ("POST", "/repos/acme/web/issues/1/reactions", r#"{"content":"eyes"}"#),
    ("POST", "/repos/acme/web/issues/1/reactions", r#"{"content":"eyes"}"#),
    ("GET", "/repos/acme/web/issues/1/comments?since=2026-01-01T00:00:00Z&per_page=100", ""),
    ("GET", "/repos/acme/web/issues/comments?sort=updated", ""),
    ("GET", "/repos/acme/web/issues/comments/1001", ""),
    ("PATCH", "/repos/acme/web/issues/comments/1001", r#"{"body":"Hello again"}"#),
    ("POST", "/repos/acme/web/issues/comments/1001/reactions", r#"{"content":"eyes"}"#),
    ("POST", "/repos/acme/web/issues/comments/1001/reactions", r#"{"content":"eyes"}"#),
    ("POST", "/repos/acme/web/issues/comments/1001/reactions", r#"{"content":"rocket"}"#),
    ("GET", "/repos/acme/web/issues/comments/1001/reactions?content=rocket&per_page=100", ""),
    ("DELETE", "/repos/acme/web/issues/comments/1001/reactions/603", ""),
    ("DELETE", "/repos/acme/web/issues/comments/1001/reactions/603", ""),
    ("PUT", "/repos/acme/web/issues/comments/1001/pin", ""),
    ("GET", "/repos/acme/web/issues/1", ""),
    ("DELETE", "/repos/acme/web/issues/comments/1001/pin", ""),
    ("POST", "/repos/acme/web/issues/1/comments", r#"{"body":"Second"}"#),
    ("DELETE", "/repos/acme/web/issues/comments/1002", ""),
    ("POST", "/repos/acme/web/issues/1/labels", r#"{"labels":["bug","urgent"]}"#),
    ("GET", "/repos/acme/web/issues/1/labels", ""),
    ("PUT", "/repos/acme/web/issues/1/labels", r#"{"labels":["bug"]}"#),
    ("DELETE", "/repos/acme/web/issues/1/labels/bug", ""),
    ("DELETE", "/repos/acme/web/issues/1/labels", ""),
    ("GET", "/repos/acme/web/labels", ""),
    ("POST", "/repos/acme/web/labels", r#"{"name":"new one","color":"ff0000"}"#),
    ("GET", "/repos/acme/web/labels/new%20one", ""),
    ("GET", "/repos/acme/web/assignees/bob", ""),
    ("GET", "/repos/acme/web/issues/1/assignees/bob", ""),
    ("POST", "/repos/acme/web/issues/1/assignees", r#"{"assignees":["bob","nobody"]}"#),
    ("DELETE", "/repos/acme/web/issues/1/assignees", r#"{"assignees":["bob"]}"#),
    ("GET", "/repos/acme/web/actions/workflows", ""),
    ("GET", "/repos/acme/web/actions/workflows/release.yml", ""),
    (
        "POST",
        "/repos/acme/web/actions/workflows/release.yml/dispatches",
        r#"{"ref":"main","inputs":{"channel":"beta"},"return_run_details":true}"#,
    ),
    ("POST", "/repos/acme/web/actions/workflows/release.yml/dispatches", r#"{"ref":"main"}"#),
    ("POST", "/repos/acme/web/dispatches", r#"{"event_type":"release","client_payload":{"a":1}}"#),
    ("GET", "/repos/acme/web/actions/workflows/release.yml/runs?event=workflow_dispatch&branch=main", ""),
    ("GET", "/repos/acme/web/actions/runs?created=%3E%3D2026-01-01&status=queued", ""),
    ("GET", "/repos/acme/web/actions/runs/7001", ""),
    ("GET", "/repos/acme/web/actions/runs/7001/jobs?filter=all", ""),
    ("GET", "/repos/acme/web/actions/runs/7001/pending_deployments", ""),
    ("GET", "/repos/acme/web/actions/runs/7001/approvals", ""),
    ("GET", "/repos/acme/web/actions/runs/7001/attempts/1", ""),
    ("GET", "/repos/acme/web/actions/runs/7001/attempts/1/jobs", ""),
    ("GET", "/repos/acme/web/actions/jobs/70001", ""),
    ("GET", "/repos/acme/web/actions/jobs/70001/logs", ""),
    ("GET", "/repos/acme/web/actions/jobs/70004/logs", ""),
    ("GET", "/repos/acme/web/check-runs/70004/annotations?per_page=50", ""),
    ("GET", "/repos/acme/web/compare/6bdb83855a7b223f5f8a1cda7feeb9bb0ff7824f...main?per_page=50", ""),
    ("POST", "/repos/acme/web/actions/runs/7001/cancel", ""),
    ("POST", "/repos/acme/web/actions/runs/7001/cancel", ""),
    ("POST", "/repos/acme/web/actions/runs/7001/rerun", ""),
    ("POST", "/repos/acme/web/actions/runs/7002/cancel", ""),
    ("POST", "/repos/acme/web/actions/runs/7002/rerun-failed-jobs", ""),
];

async fn tour() -> World {
    let world = World::new();
    world.repository("acme/web").member("bob", "MEMBER").file(".github/workflows/release.yml", RELEASE);
    world.team("acme/release").member("bob");
    world.token("t").acts_as("alice").can_everything();
    world.issue("acme/web", "One", "", "alice");
    let run = world.start_run("acme/web", "release.yml", "push");
    world.add_job(run, Job::new("build").step("compile", "success").running());
    let staging = Environment::new("staging").reviewer("bob");
    world.add_job(run, Job::new("try").waiting_for(staging));
    world.approve(run, "staging");
    world.attest("acme/web", "sha256:0f3c", "release.yml", "0f3c");
    world.release("acme/web", Release::new("v1.0.0").notes("First.").asset("web.zip", "sha256:0"));
    world.push("acme/web", "main");
    let production = Environment::new("production").reviewer("dana").reviewer("acme/sre").wait_timer(30);
    world.add_job(run, Job::new("deploy").waiting_for(production));
    let lint = Job::new("lint").annotation("failure", "src/a.rs", 3, "Mismatched types").log("It broke");
    world.add_job(run, lint.conclusion("failure"));
    let app = world.app("acme-release").installed_on("acme", &["issues: write"]);
    let now = world.now().timestamp();
    let jwt = key::sign(&json!({ "iat": now - 60, "exp": now + 540, "iss": app.client_id() }));
    for (method, uri, body) in REQUESTS {
        let token = match *uri {
            "/installation/token" => world.installation_tokens()[0].secret.clone(),
            uri if uri.contains("installation") => jwt.clone(),
            _ => "t".to_owned(),
        };
        let request = http::Request::builder()
            .method(*method)
            .uri(*uri)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(*body))
            .expect("the requests of the tour are well formed");
        let answer = world.service().oneshot(request).await;
        assert!(answer.is_ok(), "{method} {uri} was dropped");
    }
    world
}

/// The route of an exchange.
fn route(exchange: &Exchange) -> Option<String> {
    let path_match = super::ROUTES.at(&exchange.path).ok()?;
    let mut template = exchange.path.clone();
    for (name, value) in path_match.params.iter() {
        let holds_slashes = name == "path" || name == "ref" && exchange.path.contains("/git/");
        let star = if holds_slashes { "*" } else { "" };
        template = template.replacen(&format!("/{value}"), &format!("/{{{star}{name}}}"), 1);
    }
    Some(format!("{} {template}", exchange.method))
}

#[tokio::test]
async fn every_route_of_the_table_is_driven() {
    let world = tour().await;
    let exchanges = world.exchanges();
    // A link to a log is a redirect.
    let successes = exchanges.iter().filter(|it| it.status < Some(303));
    let routes: Vec<String> = successes.filter_map(route).collect();
    let missing: Vec<String> = super::table()
        .iter()
        .map(|(method, path, _, _)| format!("{method} {path}"))
        .filter(|route| !routes.contains(route))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
    world.assert_known_routes();
}

#[tokio::test]
async fn every_answer_fits_the_description_of_github() {
    let Some(description) = description() else {
        return;
    };
    let report = description.check_all(&tour().await.exchanges());
    assert_eq!(report, Ok(()));
}

#[tokio::test]
async fn the_description_finds_wrong_fields_by_real_schemas() {
    let Some(description) = description() else {
        return;
    };
    let exchanges = tour().await.exchanges();
    let creation = exchanges.iter().find(|it| it.status == Some(201) && it.path.ends_with("/issues"));
    let creation = creation.expect("the tour creates an issue");
    let places = |change: &dyn Fn(&mut Exchange)| {
        let mut exchange = creation.clone();
        change(&mut exchange);
        let violations = description.check(&exchange).err().unwrap_or_default();
        violations.into_iter().map(|it| it.place).collect::<Vec<_>>()
    };
    let request = |body: Value| move |exchange: &mut Exchange| exchange.request_body = Some(body.clone());
    let response = |field: &'static str, value: Value| {
        move |exchange: &mut Exchange| {
            if let Some(Value::Object(body)) = &mut exchange.response_body {
                match &value {
                    Value::String(text) if text == "(absent)" => body.remove(field),
                    value => body.insert(field.into(), value.clone()),
                };
            }
        }
    };
    assert_eq!(places(&|_| ()), Vec::<String>::new());
    assert_eq!(places(&request(json!({ "title": ["x"] }))), ["request body /title"]);
    assert_eq!(places(&request(json!({ "title": "x", "labls": [] }))), ["request body /labls"]);
    assert_eq!(places(&response("title", json!("(absent)"))), ["response body"]);
    assert_eq!(places(&response("title", Value::Null)), ["response body /title"]);
    assert_eq!(places(&response("number", json!("1"))), ["response body /number"]);
    assert!(!places(&response("user", json!({}))).is_empty());
    assert_eq!(places(&response("user", Value::Null)), Vec::<String>::new());
    assert_eq!(places(&response("state_reason", json!("tired"))), ["response body /state_reason"]);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_found_for_every_operation() {
    let Some(description) = description() else {
        return;
    };
    for mut exchange in tour().await.exchanges() {
        if exchange.response_body.is_some() {
            exchange.response_body = Some(json!("a text"));
            let line = exchange.request_line();
            assert!(description.check(&exchange).is_err(), "{line}");
        }
    }
}

/// GitHub's description, from the file that `GITHUB_OPENAPI` names.
fn description() -> Option<Description> {
    #[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
    let Some(path) = std::env::var_os("GITHUB_OPENAPI") else {
        let note = "not run: GITHUB_OPENAPI names no description of the API";
        writeln!(std::io::stderr(), "{note}").expect("standard error is open in tests");
        return None;
    };
    Some(
        Description::load(path, json_schema::compile).expect("GITHUB_OPENAPI names a description of the API"),
    )
}
