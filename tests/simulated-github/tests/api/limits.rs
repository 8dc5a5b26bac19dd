//! The secondary limits of a token.

use std::time::Duration;

use crate::support::{client, world};
use serde_json::{Value, json};
use simulated_github::{Fault, Kind, World};

const COMMENTS: &str = "/repos/acme/hub/issues/1/comments";
const RUNS: &str = "/repos/acme/web/actions/runs";

fn limited_world() -> World {
    let world = world();
    world.secondary_limits();
    world
}

#[tokio::test(start_paused = true)]
async fn requests_cost_points_even_if_nothing_has_changed() {
    let world = world();
    let github = client(&world, "t");
    let first = github.get("/repos/acme/web").await;
    let again = client(&world, "t").header("if-none-match", first.header("etag"));
    assert_eq!(again.get("/repos/acme/web").await.status, 304);
    github.post(COMMENTS, json!({ "body": "x" })).await;
    assert_eq!((world.points(), world.most_points_a_minute(), world.most_creations_a_minute()), (7, 7, 1));

    tokio::time::sleep(Duration::from_secs(60)).await;
    world.token("other").can("acme/hub", &["issues: write"]);
    client(&world, "other").post(COMMENTS, json!({ "body": "x" })).await;
    assert_eq!((world.points(), world.most_points_a_minute(), world.most_creations_a_minute()), (12, 7, 1));
    assert_eq!(world.limit_refusals(), 0);
}

#[tokio::test(start_paused = true)]
async fn too_many_points_in_a_minute_are_refused() {
    let world = limited_world();
    let github = client(&world, "t");
    for _ in 0..900 {
        assert_eq!(github.get(RUNS).await.status, 200);
    }
    let refusal = github.get(RUNS).await;
    assert_eq!((refusal.status, refusal.header("x-ratelimit-remaining")), (403, "4100"));
    assert!(refusal.message().starts_with("You have exceeded a secondary rate limit"));
    assert_eq!((world.most_points_a_minute(), world.limit_refusals()), (900, 1));
    world.token("other");
    assert_eq!(client(&world, "other").get(RUNS).await.status, 200);

    let wait = refusal.header("retry-after").parse().expect("it is a number");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(github.get(RUNS).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn limits_that_are_off_are_counted() {
    let world = world();
    let github = client(&world, "t");
    for _ in 0..190 {
        assert_eq!(github.post(COMMENTS, json!({ "body": "x" })).await.status, 201);
    }
    assert_eq!((world.most_points_a_minute(), world.most_creations_a_minute()), (950, 190));
    assert_eq!(world.limit_refusals(), 0);
}

#[tokio::test(start_paused = true)]
async fn too_many_creations_in_a_minute_or_an_hour_are_refused() {
    let world = limited_world();
    let github = client(&world, "t");
    let mut count = 0;
    let refusal = loop {
        let answer = github.post(COMMENTS, json!({ "body": "x" })).await;
        match answer.status {
            201 => count += 1,
            _ if count % 80 == 0 => tokio::time::sleep(Duration::from_secs(61)).await,
            _ => break answer,
        }
    };
    assert_eq!((count, world.most_creations_a_minute()), (500, 80));
    let wait: u64 = refusal.header("retry-after").parse().expect("it is a number");
    assert!((3_000..3_600).contains(&wait), "{wait}");
    assert_eq!(world.limit_refusals(), 7);
}

#[tokio::test(start_paused = true)]
async fn more_than_a_hundred_requests_at_once_are_refused() {
    let world = limited_world();
    world.latency(|_, _| Duration::from_secs(1));
    world.fault(Fault::on("GET", "/**").skip(5).then(Kind::DropBefore));
    let requests: Vec<_> = (0..101)
        .map(|_| {
            let github = client(&world, "t");
            tokio::spawn(
                async move { github.try_send("GET", RUNS, Value::Null).await.map(|it| it.status).ok() },
            )
        })
        .collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.expect("a request does not panic"));
    }
    assert_eq!(statuses.iter().filter(|status| **status == Some(200)).count(), 99);
    assert_eq!(statuses.iter().filter(|status| **status == Some(403)).count(), 1);
    assert_eq!((world.most_at_once(), world.limit_refusals()), (101, 1));
    assert_eq!(client(&world, "t").get(RUNS).await.status, 200);
}
