//! Faults, latency and limits.

use std::time::Duration;

use crate::support::{client, world};
use serde_json::json;
use simulated_github::{Fault, Kind};

const COMMENTS: &str = "/repos/acme/hub/issues/1/comments";
const GLOB: &str = "/repos/acme/hub/issues/*/comments";

#[tokio::test]
async fn a_fault_happens_before_or_after_the_effect() {
    let cases = [
        (Kind::StatusBefore(502), Some(502), 0),
        (Kind::StatusAfter(502), Some(502), 1),
        (Kind::DropBefore, None, 0),
        (Kind::DropAfter, None, 1),
    ];
    for (kind, status, comments) in cases {
        let world = world();
        world.fault(Fault::on("POST", GLOB).then(kind.clone()));
        let github = client(&world, "t");
        let answer = github.try_send("POST", COMMENTS, json!({ "body": "x" })).await;
        assert_eq!(answer.ok().map(|it| it.status), status, "{kind:?}");
        assert_eq!(world.issue_view("acme/hub", 1).comments.len(), comments, "{kind:?}");
        let exchange = &world.exchanges()[0];
        assert_eq!((exchange.status, exchange.effective), (status, comments == 1), "{kind:?}");
        assert_eq!(github.post(COMMENTS, json!({ "body": "y" })).await.status, 201);
    }
}

#[tokio::test(start_paused = true)]
async fn latency_passes_on_both_sides_of_the_effect() {
    let world = world();
    world.latency(|_, _| Duration::from_secs(10));
    let request = tokio::spawn({
        let github = client(&world, "t");
        async move { github.post(COMMENTS, json!({ "body": "x" })).await.status }
    });
    let comments = || world.issue_view("acme/hub", 1).comments.len();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(comments(), 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((comments(), request.is_finished()), (1, false));
    assert_eq!(request.await.ok(), Some(201));
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_effect_even_if_its_client_gives_up() {
    let world = world();
    world.fault(Fault::on("POST", GLOB).then(Kind::Latency(Duration::from_secs(60))));
    let github = client(&world, "t");
    let request = github.post(COMMENTS, json!({ "body": "x" }));
    assert!(tokio::time::timeout(Duration::from_secs(5), request).await.is_err());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.issue_view("acme/hub", 1).comments.len(), 1);
    assert_eq!(world.exchanges()[0].status, None);
}

#[tokio::test]
async fn rate_limits_say_when_to_come_back() {
    let world = world();
    world.fault(Fault::on("GET", "/**").then(Kind::RateLimited {
        status: 429,
        retry_after: Some(7),
        reset_in: Some(60),
        secondary: false,
    }));
    let answer = client(&world, "t").get("/repos/acme/web").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    let wait: i64 = answer.header("x-ratelimit-reset").parse().expect("it is a number");
    assert!((59..=61).contains(&(wait - world.now().timestamp())));
}

#[tokio::test(start_paused = true)]
async fn the_hour_of_a_token_runs_out_and_starts_again() {
    let world = world();
    world.rate_limit(2);
    let github = client(&world, "t");
    assert_eq!(github.get("/repos/acme/web").await.header("x-ratelimit-remaining"), "1");
    assert_eq!(github.get("/repos/acme/web").await.header("x-ratelimit-remaining"), "0");
    assert_eq!(github.get("/repos/acme/web").await.status, 403);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(github.get("/repos/acme/web").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn too_much_content_in_a_minute_is_refused() {
    let world = world();
    world.content_creation_limit(2);
    let github = client(&world, "t");
    let body = json!({ "body": "x" });
    assert_eq!(github.post(COMMENTS, body.clone()).await.status, 201);
    assert_eq!(github.post(COMMENTS, body.clone()).await.status, 201);
    let refusal = github.post(COMMENTS, body.clone()).await;
    assert_eq!(refusal.status, 403);
    let wait: u64 = refusal.header("retry-after").parse().expect("it is a number");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(github.post(COMMENTS, body).await.status, 201);
    assert_eq!(world.content_creations().len(), 3);
}

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again_and_costs_nothing() {
    let world = world();
    let first = client(&world, "t").get("/repos/acme/web").await;
    let again = client(&world, "t").header("if-none-match", first.header("etag"));
    let second = again.get("/repos/acme/web").await;
    assert_eq!((second.status, second.text.as_str()), (304, ""));
    let remaining = [&first, &second].map(|answer| answer.header("x-ratelimit-remaining").to_owned());
    assert_eq!(remaining, ["4999", "4999"]);
}
