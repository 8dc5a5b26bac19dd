//! Identities of jobs, and the service that exchanges them for tokens.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulated_github::{JobIdentity, TokenService, World};
use tokio::net::TcpStream;

use crate::support::client;

const POLICY: &str = "
issuer: https://token.actions.githubusercontent.com
subject_pattern: repo:acme/(web|api):ref:refs/heads/main
claim_pattern:
  job_workflow_ref: acme/.*/release\\.yml@refs/heads/main
permissions:
  issues: write
";

async fn world() -> (World, TokenService) {
    let world = World::new();
    world.repository("acme/hub").private().file(".github/chainguard/report.sts.yaml", POLICY);
    world.repository("acme/web");
    world.app("octo-sts").installed_on("acme", &["issues: write", "contents: read"]);
    world.issue("acme/hub", "Release 1.4.0", "", "alice");
    let service = world.serve_token_service().await.expect("a free port on loopback");
    (world, service)
}

/// The signed identity of a job for an audience.
async fn identity(world: &World, job: &JobIdentity, audience: &str) -> String {
    let [(_, url), (_, token)] = job.variables();
    let path = url.strip_prefix("https://github.com").expect("the world is not served");
    let answer = client(world, &token).get(&format!("{path}&audience={audience}")).await;
    answer.json()["value"].as_str().expect("an identity").to_owned()
}

async fn exchange(service: &TokenService, bearer: &str, scope: &str, identity: &str) -> (u16, Value) {
    let address = service.url().replace("http://", "");
    let stream = TcpStream::connect(address).await.expect("the service listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let request = Request::builder()
        .uri(format!("/sts/exchange?scope={scope}&identity={identity}"))
        .header("host", "sts")
        .header("authorization", format!("Bearer {bearer}"))
        .body(Body::empty())
        .expect("tests build valid requests");
    let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn a_job_that_the_policy_trusts_gets_a_token_for_its_repository() {
    let (world, service) = world().await;
    let job = world.job_identity("acme/web", "release.yml");
    let identity = identity(&world, &job, "127.0.0.1").await;
    let (status, answer) = exchange(&service, &identity, "acme/hub", "report").await;
    assert_eq!(status, 200, "{answer}");
    let token = client(&world, answer["token"].as_str().expect("a token"));
    let comment = json!({ "body": "x" });
    assert_eq!(token.post("/repos/acme/hub/issues/1/comments", comment).await.status, 201);
    assert_eq!(token.get("/repos/acme/hub/contents/x").await.status, 403);
    assert_eq!(world.issue_view("acme/hub", 1).comments[0].author, "octo-sts[bot]");
}

#[tokio::test]
async fn a_refusal_names_the_claim_that_did_not_match() {
    let (world, service) = world().await;
    let web = world.job_identity("acme/web", "release.yml");
    let other = world.job_identity("acme/other", "release.yml");
    let build = world.job_identity("acme/web", "build.yml");
    for (job, audience, scope, name, status, says) in [
        (
            &other,
            "127.0.0.1",
            "acme/hub",
            "report",
            403,
            "subject \"repo:acme/other:ref:refs/heads/main\" did not",
        ),
        (&build, "127.0.0.1", "acme/hub", "report", 403, "claim \"job_workflow_ref\" did not match"),
        (
            &web,
            "elsewhere",
            "acme/hub",
            "report",
            403,
            "audience \"127.0.0.1\" did not match any of [\"elsewhere\"]",
        ),
        (&web, "127.0.0.1", "acme/hub", "nothing", 404, "unable to find trust policy for \"nothing\""),
        (&web, "127.0.0.1", "globex/site", "report", 404, "no installation found for \"globex\""),
    ] {
        let identity = identity(&world, job, audience).await;
        let (actual, answer) = exchange(&service, &identity, scope, name).await;
        assert_eq!(actual, status, "{answer}");
        assert!(answer["message"].as_str().is_some_and(|message| message.contains(says)), "{answer}");
    }
    let (status, _) = exchange(&service, "ghs_1", "acme/hub", "report").await;
    assert_eq!(status, 401);
    assert_eq!(service.questions().len(), 6);
}

#[tokio::test]
async fn an_identity_is_signed_for_its_job_alone_and_ends_soon() {
    let (world, service) = world().await;
    let job = world.job_identity("acme/web", "release.yml");
    let [(_, url), _] = job.variables();
    let path = url.strip_prefix("https://github.com").expect("the world is not served");
    assert_eq!(client(&world, "another").get(path).await.status, 401);
    let identity = identity(&world, &job, "127.0.0.1").await;
    world.advance(std::time::Duration::from_secs(301));
    assert_eq!(exchange(&service, &identity, "acme/hub", "report").await.0, 401);
}
