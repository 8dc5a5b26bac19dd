//! One exchange with GitHub's API, or with a server like it: its time-out, its retries, and its line
//! in the debug log. A call brings its own token; which one that is others decide.
//!
//! Reads, and writes that come out the same when repeated, are tried again after an unclear failure.
//! A write that must not happen twice is sent once, and its caller looks for the effect. A call that
//! GitHub puts off for its [rate limits](https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately)
//! had no effect, and is sent again in either case.

mod answer;
mod error;
mod refusal;
mod request;

use std::sync::OnceLock;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use octocrab::Octocrab;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::transport;
use crate::job::Clock;
use crate::network::obstacle::{self, Obstacle};

pub(super) use answer::Answer;
pub use error::ApiError;
pub(super) use error::grants;
pub use request::RequestLine;
pub(super) use request::{Call, Repeat};

/// How long one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);

/// A server that is asked with whatever token a call brings.
#[derive(Debug)]
pub(super) struct Api {
    octocrab: Octocrab,
    clock: Clock,
    retry_timeout: Duration,
    /// Known from the first answer of a GitHub Enterprise Server on.
    enterprise: OnceLock<EnterpriseRelease>,
}

/// The release of a GitHub Enterprise Server, `(3, 20)`.
pub(super) type EnterpriseRelease = (u32, u32);

impl Api {
    /// The server behind `octocrab`; a call waits and is repeated for `retry_timeout` at most.
    pub(super) fn new(octocrab: Octocrab, clock: Clock, retry_timeout: Duration) -> Self {
        Self { octocrab, clock, retry_timeout, enterprise: OnceLock::new() }
    }

    /// The time.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The server's release, if it is a GitHub Enterprise Server and has answered before.
    pub(super) fn enterprise_release(&self) -> Option<EnterpriseRelease> {
        self.enterprise.get().copied()
    }

    /// Sends `call` until there is a clear answer or no time left.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let began = Instant::now();
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(Duration::from_secs(60))
            .with_max_times(10)
            .with_jitter();
        (|| self.send_once(call))
            .retry(backoff)
            .sleep(tokio::time::sleep)
            .when(|error| may_repeat(error, call.repeat))
            .adjust(|error, delay| {
                let delay = delay_after(error, delay?);
                Some(delay).filter(|delay| began.elapsed().saturating_add(*delay) <= self.retry_timeout)
            })
            .notify(|error, delay| {
                tracing::info!("waiting {} s, then trying again: {error}", delay.as_secs_f32().ceil());
            })
            .await
    }

    /// Sends `call` once.
    pub(super) async fn send_once(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let line = call.line.clone();
        let built = self.octocrab.build_request(builder(call), call.body);
        let built = built
            .map_err(|error| ApiError::Unexpected { request: line.clone(), reason: error.to_string() })?;

        let started = Instant::now();
        let exchange = async { transport::body_of(self.octocrab.execute(built).await?).await };
        let answered = tokio::time::timeout(EXCHANGE_LIMIT, exchange).await;
        let took = started.elapsed().as_millis();
        let (parts, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::debug!(target: "request", request = %line, took, "no answer");
                return Err(broken(line, &error));
            }
            Err(_) => {
                tracing::debug!(target: "request", request = %line, took, "no answer in time");
                let reason = format!("no answer within {} s", EXCHANGE_LIMIT.as_secs());
                return Err(ApiError::Unclear { request: line, reason });
            }
        };
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
        tracing::debug!(
            target: "request",
            request = %line,
            took,
            status = parts.status.as_u16(),
            rate_limit_remaining = header("x-ratelimit-remaining"),
            request_id = header("x-github-request-id"),
        );
        self.note_release(&parts.headers);
        if parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED {
            return Ok(Answer { request: line, status: parts.status, headers: parts.headers, body });
        }
        Err(refusal::error_of(line, parts.status, &parts.headers, &body, self.clock.now()))
    }

    /// Notes the server's release: `enterprise-server@3.20.1`.
    fn note_release(&self, headers: &HeaderMap) {
        let Some(Ok(version)) = headers.get("x-github-enterprise-version").map(HeaderValue::to_str) else {
            return;
        };
        let mut numbers = version.trim_start_matches("enterprise-server@").split('.').map(str::parse);
        if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) {
            let _ = self.enterprise.set((major, minor));
        }
    }
}

fn may_repeat(error: &ApiError, repeat: Repeat) -> bool {
    match error {
        ApiError::RateLimited { .. } => true,
        ApiError::Unreachable { obstacle, .. } => obstacle.is_none_or(Obstacle::may_pass),
        ApiError::Unclear { .. } => repeat == Repeat::Freely,
        ApiError::Refused { .. } | ApiError::Unexpected { .. } => false,
    }
}

/// How long to wait after `error`, where `delay` would be next.
fn delay_after(error: &ApiError, delay: Duration) -> Duration {
    match error {
        ApiError::RateLimited { wait: Some(wait), .. } => {
            wait.saturating_add(delay.min(Duration::from_secs(3)))
        }
        // "If the request failed due to a secondary limit, wait at least a minute."
        ApiError::RateLimited { wait: None, .. } => delay.max(Duration::from_secs(60)),
        _ => delay,
    }
}

fn builder(call: &Call<'_>) -> http::request::Builder {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", call.bearer.expose_secret()))
        .expect("tokens are checked to be printable ASCII when they are read");
    bearer.set_sensitive(true);
    let builder = http::Request::builder()
        .method(&call.line.method)
        .uri(&call.line.path)
        .header(ACCEPT, "application/vnd.github+json")
        // GitHub refuses requests that do not say which program sends them:
        // https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
        .header(USER_AGENT, concat!("release-ticket-action/", env!("CARGO_PKG_VERSION")))
        .header(AUTHORIZATION, bearer);
    match call.unless {
        Some(tag) => builder.header(IF_NONE_MATCH, tag),
        None => builder,
    }
}

/// A connection that could not be opened had no effect; one that broke later is unclear.
fn broken(request: RequestLine, error: &octocrab::Error) -> ApiError {
    let mut reasons = Vec::new();
    let mut unopened = false;
    for cause in obstacle::causes(error).skip(1) {
        if cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()) {
            // Its causes say why.
            unopened = true;
        } else {
            reasons.push(cause.to_string());
        }
    }
    reasons.dedup();
    let reason = if reasons.is_empty() { "the connection broke".to_owned() } else { reasons.join(": ") };
    if unopened {
        ApiError::Unreachable { request, reason, obstacle: Obstacle::behind(error) }
    } else {
        ApiError::Unclear { request, reason }
    }
}
