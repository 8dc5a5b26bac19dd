//! The log of requests and answers.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// One request to the API and its answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// Its number in the world, from 1.
    pub id: u64,
    /// The time at which the request arrived.
    pub at: DateTime<Utc>,
    /// Its token.
    pub token: Option<String>,
    /// The header `user-agent`.
    pub user_agent: Option<String>,
    /// The method, in capitals.
    pub method: String,
    /// The path, percent-encoded as it arrived, without `/api/v3`.
    pub path: String,
    /// The query as it arrived, without `?`.
    pub query: String,
    /// The body, if it is JSON.
    pub request_body: Option<Value>,
    /// The status of the answer. `None` if no answer has reached the client.
    pub status: Option<u16>,
    /// The headers of the answer.
    pub response_headers: HeaderMap,
    /// The body of the answer, if it is JSON.
    pub response_body: Option<Value>,
    /// Whether the request changed anything.
    pub effective: bool,
}

impl Exchange {
    /// The method and path, such as `GET /rate_limit`.
    pub fn request_line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}
