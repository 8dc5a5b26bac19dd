//! A client for the tests, and a small world for its requests.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use simulated_github::{BrokenConnection, World};
use tower::ServiceExt;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().into()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A field of each item of a list.
    pub(crate) fn each(&self, field: &str) -> Vec<Value> {
        let list = self.json();
        let items = list.as_array().cloned().unwrap_or_default();
        items.into_iter().map(|item| item[field].clone()).collect()
    }
}

pub(crate) struct Client {
    world: World,
    headers: Vec<(&'static str, String)>,
}

pub(crate) fn client(world: &World, token: &str) -> Client {
    Client { world: world.clone(), headers: vec![("authorization", format!("Bearer {token}"))] }
}

pub(crate) fn anonymous(world: &World) -> Client {
    Client { world: world.clone(), headers: Vec::new() }
}

impl Client {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        uri: &str,
        body: Value,
    ) -> Result<Answer, BrokenConnection> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        let request = request.body(body).expect("tests build valid requests");
        let (parts, body) = self.world.service().oneshot(request).await?.into_parts();
        let bytes = body.collect().await.expect("bodies are in memory").to_bytes();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    pub(crate) async fn send(&self, method: &str, uri: &str, body: Value) -> Answer {
        let answer = self.try_send(method, uri, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {uri}: {error}"))
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, Value::Null).await
    }

    pub(crate) async fn post(&self, uri: &str, body: Value) -> Answer {
        self.send("POST", uri, body).await
    }

    pub(crate) async fn patch(&self, uri: &str, body: Value) -> Answer {
        self.send("PATCH", uri, body).await
    }
}

pub(crate) const RELEASE: &str = "
name: Release
run-name: Release ${{ inputs.channel }}
on:
  workflow_dispatch:
    inputs:
      channel: { type: choice, options: [stable, beta], required: true }
      draft: { type: boolean, default: false }
  repository_dispatch:
    types: [release]
";

/// A hub with one issue, a repository with a workflow, and a token that can use both.
pub(crate) fn world() -> World {
    let world = World::new();
    world.repository("acme/hub").member("alice", "MEMBER").private();
    world.repository("acme/web").file(".github/workflows/release.yml", RELEASE);
    world
        .token("t")
        .acts_as("acme-release[bot]")
        .can("acme/hub", &["issues: write"])
        .can("acme/web", &["actions: write", "contents: write"]);
    world.issue("acme/hub", "Release 1.4.0", "Ready?", "alice");
    world
}
