//! The world on a socket.

use crate::support::world;
use serde_json::{Value, json};
use simulated_github::{Fault, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request on its own connection, and returns all bytes of the answer.
async fn raw(url: &str, method: &str, path: &str, body: &str) -> String {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("the server listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer t\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    // A test may expect a broken connection.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn links_lead_to_the_server() {
    let world = world();
    let server = world.serve().await.expect("a port is free");
    let url = server.url();
    let answer = raw(&url, "GET", "/repos/acme/hub/issues/1", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains(&format!("\"html_url\":\"{url}/acme/hub/issues/1\"")));
    assert!(answer.contains("date: Mon, 05 Jan 2026 09:00:0"), "{answer}");
}

#[tokio::test]
async fn a_dropped_exchange_breaks_the_connection() {
    let world = world();
    let server = world.serve().await.expect("a port is free");
    world.fault(Fault::on("POST", "/**").then(Kind::DropAfter));
    let path = "/repos/acme/hub/issues/1/comments";
    assert_eq!(raw(&server.url(), "POST", path, r#"{"body":"x"}"#).await, "");
    assert_eq!(world.issue_view("acme/hub", 1).comments.len(), 1);
}

#[tokio::test]
async fn people_see_the_issue_as_a_page() {
    let world = world();
    world.comment("acme/hub", 1, "acme-release[bot]", "- [x] built");
    let server = world.serve().await.expect("a port is free");
    let page = raw(&server.url(), "GET", "/acme/hub/issues/1?refresh=2", "").await;
    for text in ["text/html", "Release 1.4.0", "checkbox", "bot</span>", "refresh content=2"] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    assert!(world.exchanges().is_empty());
}

#[tokio::test]
async fn scripts_play_the_runner() {
    let world = world();
    let id = world.start_run("acme/web", "release.yml", "push");
    let server = world.serve().await.expect("a port is free");
    let path = format!("/_simulation/runs/{id}");
    let body = r#"{"conclusion":"failure","jobs":[{"name":"build","status":"in_progress"}]}"#;
    raw(&server.url(), "POST", &path, body).await;
    let run = world.run(id).expect("the run was started");
    assert_eq!((run.status.as_str(), run.conclusion.as_deref()), ("completed", Some("failure")));
    assert_eq!(run.jobs[0].conclusion.as_deref(), Some("failure"));
    raw(&server.url(), "POST", &format!("{path}/rerun"), "").await;
    assert_eq!(world.run(id).map(|run| run.attempt), Some(2));
}

#[tokio::test]
async fn scripts_read_the_sums_of_all_requests() {
    let world = world();
    let server = world.serve().await.expect("a port is free");
    raw(&server.url(), "POST", "/repos/acme/hub/issues/1/comments", r#"{"body":"x"}"#).await;
    raw(&server.url(), "GET", "/repos/acme/hub/issues/1/comments", "").await;
    let answer = raw(&server.url(), "GET", "/_simulation/limits", "").await;
    let (_, limits) = answer.split_once("\r\n\r\n").expect("the answer has a body");
    let sums = json!({
        "points": 6, "creations": 1, "most_points_a_minute": 6, "most_creations_a_minute": 1,
        "most_at_once": 1, "refused": 0,
    });
    assert_eq!(serde_json::from_str::<Value>(limits).ok(), Some(sums));
}
