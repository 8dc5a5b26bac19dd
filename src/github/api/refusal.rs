//! An answer with a bad status, as an error: a refusal, a rate limit, or a failure of the server.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

use super::answer::date;
use super::error::{ApiError, LOCATION_LIMIT, QUOTE_LIMIT};
use super::request::RequestLine;
use crate::problem::excerpt;

/// The error of an answer with a bad status. `now`: this machine's time, for a server that does not send its own.
pub(super) fn error_of(
    request: Box<RequestLine>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> ApiError {
    let reply: Reply = serde_json::from_slice(body).unwrap_or_default();
    let message = reply.describe(status);
    if status.is_server_error() {
        return ApiError::Unclear { request, reason: format!("{status}, {message}") };
    }
    if is_rate_limit(status, headers, &message) {
        return ApiError::RateLimited {
            request,
            message,
            wait: wait_of(headers, date(headers).unwrap_or(now)),
        };
    }
    let permissions = text(headers, "x-accepted-github-permissions");
    ApiError::Refused {
        request,
        status,
        message,
        permissions: permissions.filter(|_| status == StatusCode::FORBIDDEN).map(str::to_owned),
        date: date(headers),
        location: text(headers, LOCATION.as_str())
            .filter(|_| status.is_redirection())
            .filter(|location| location.len() <= LOCATION_LIMIT)
            .map(str::to_owned),
    }
}

fn is_rate_limit(status: StatusCode, headers: &HeaderMap, message: &str) -> bool {
    let is_limited = || {
        number(headers, RETRY_AFTER.as_str()).is_some()
            || is_exhausted(headers)
            || message.to_lowercase().contains("rate limit")
    };
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::FORBIDDEN && is_limited()
}

/// The wait that the server asks for, if it says so.
fn wait_of(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let until_reset = || {
        let reset = number(headers, "x-ratelimit-reset").filter(|_| is_exhausted(headers))?;
        let now = u64::try_from(now.timestamp()).unwrap_or(0);
        Some(Duration::from_secs(reset.saturating_sub(now).saturating_add(1)))
    };
    number(headers, RETRY_AFTER.as_str()).map(Duration::from_secs).or_else(until_reset)
}

fn is_exhausted(headers: &HeaderMap) -> bool {
    number(headers, "x-ratelimit-remaining") == Some(0)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The body of a refusal: <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api>.
#[derive(Default, Deserialize)]
struct Reply {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Value,
}

impl Reply {
    /// The server's message, with the details of a failed validation.
    fn describe(&self, status: StatusCode) -> String {
        let message = match self.message.trim() {
            "" => status.canonical_reason().unwrap_or("no reason given"),
            message => message,
        };
        let errors = self.errors.as_array().map(Vec::as_slice).unwrap_or_default();
        let details: Vec<String> = errors.iter().map(detail).filter(|detail| !detail.is_empty()).collect();
        let message = if details.is_empty() {
            message.to_owned()
        } else {
            format!("{message} ({})", details.join("; "))
        };
        excerpt(&message, QUOTE_LIMIT)
    }
}

/// `Label name invalid `too long a name``: all that the refusal says of the field, and the value if that is a text.
fn detail(error: &Value) -> String {
    let field = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let value = Some(field("value")).filter(|value| !value.is_empty()).map(|value| format!(" `{value}`"));
    let fields = ["resource", "field", "code", "message"].map(field).join(" ");
    let fields = || fields.split_whitespace().collect::<Vec<_>>().join(" ") + &value.unwrap_or_default();
    error.as_str().map_or_else(fields, str::to_owned)
}
