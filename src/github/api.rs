//! One exchange with GitHub's API, or with a server like it: its time-out, its retries, and its line
//! in the debug log. A call brings its own token.
//!
//! After an unclear failure, reads and idempotent writes are sent again. A write that must not happen twice is
//! sent once, and its caller looks for the effect. After two answers a call had no effect, and is sent again in
//! any case: GitHub defers it because of a
//! [rate limits](https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately),
//! or GitHub does not show the call's object yet (`Call::appears_within`). Every try keeps to the pace of its
//! token.

mod answer;
mod error;
mod refusal;
mod request;

use std::sync::OnceLock;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use octocrab::Octocrab;
use secrecy::ExposeSecret;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::moves::Moves;
use super::pace::{Cost, TooLate};
use super::transport;
use crate::job::Clock;
use crate::network::obstacle::{self, Obstacle};

pub(super) use answer::Answer;
pub use error::ApiError;
pub(super) use error::grants;
pub use request::RequestLine;
pub(super) use request::{Call, Repeat};

/// The longest that one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);

/// The most bytes of an answer: a hundred comments of 65,536 characters, each up to six bytes long in JSON, and
/// room for the rest. Strangers may write such comments, and a ticket must stay readable with them.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// The most bytes of a refusal that are searched for a message.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// A server. Each call brings its own token.
#[derive(Debug)]
pub(super) struct Api {
    octocrab: Octocrab,
    clock: Clock,
    retry_timeout: Duration,
    /// Set by the first answer of a GitHub Enterprise Server.
    enterprise: OnceLock<EnterpriseRelease>,
    moves: Moves,
}

/// The release of a GitHub Enterprise Server, `(3, 20)`.
pub(super) type EnterpriseRelease = (u32, u32);

impl Api {
    /// The server behind `octocrab`. A call waits and is repeated for `retry_timeout` at most.
    pub(super) fn new(octocrab: Octocrab, clock: Clock, retry_timeout: Duration) -> Self {
        Self { octocrab, clock, retry_timeout, enterprise: OnceLock::new(), moves: Moves::default() }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn moves(&self) -> &Moves {
        &self.moves
    }

    /// The server's release, if it is a GitHub Enterprise Server and has answered before.
    pub(super) fn enterprise_release(&self) -> Option<EnterpriseRelease> {
        self.enterprise.get().copied()
    }

    /// Sends `call` until there is a clear answer or no time left.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let start = Instant::now();
        let mut delays = Delays::default();
        loop {
            let slot = self.admit(call, self.retry_timeout.saturating_sub(start.elapsed())).await?;
            let result = self.send_once(call).await;
            drop(slot);
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let elapsed = start.elapsed();
            let delay = if may_repeat(&error, call.repeat) {
                delays.after_failure(&error)
            } else if is_not_found(&error) {
                delays.after_not_found(call.appears_within.saturating_sub(elapsed))
            } else {
                None
            };
            let is_in_time = |delay: &Duration| elapsed.saturating_add(*delay) <= self.retry_timeout;
            let Some(delay) = delay.filter(is_in_time) else { return Err(error) };
            let seconds = delay.as_secs_f32().ceil();
            if is_not_found(&error) {
                tracing::info!(
                    "waiting {seconds} s, then trying again: {error}; GitHub's answer may not show recent writes yet"
                );
            } else {
                tracing::info!("waiting {seconds} s, then trying again: {error}");
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// Waits for the turn of `call`. Every try has its own turn.
    async fn admit<'a>(
        &self,
        call: &Call<'a>,
        patience: Duration,
    ) -> Result<Option<SemaphorePermit<'a>>, ApiError> {
        let Some(pace) = call.pace else { return Ok(None) };
        let cost = Cost::of(&call.line.method, &call.line.path);
        let slot = pace.admit(cost, patience).await;
        slot.map(Some).map_err(|TooLate { reason, wait }| ApiError::RateLimited {
            request: Box::new(call.line.clone()),
            message: reason,
            wait,
        })
    }

    pub(super) async fn send_once(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let line = Box::new(call.line.clone());
        let request = self.octocrab.build_request(builder(call), call.body);
        let request = request
            .map_err(|error| ApiError::Unexpected { request: line.clone(), reason: error.to_string() })?;

        let start = Instant::now();
        let exchange = async {
            let response = self.octocrab.execute(request).await?;
            let is_good = is_good(response.status());
            transport::body_of(response, if is_good { ANSWER_LIMIT } else { REFUSAL_LIMIT }).await
        };
        let outcome = tokio::time::timeout(EXCHANGE_LIMIT, exchange).await;
        let milliseconds = start.elapsed().as_millis();
        let (parts, body) = match outcome {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::debug!(target: "request", request = %line, milliseconds, "no answer");
                return Err(connection_error(line, error.as_ref()));
            }
            Err(_) => {
                tracing::debug!(target: "request", request = %line, milliseconds, "no answer in time");
                let reason = format!("no answer within {} s", EXCHANGE_LIMIT.as_secs());
                return Err(ApiError::Unclear { request: line, reason });
            }
        };
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
        tracing::debug!(
            target: "request",
            request = %line,
            milliseconds,
            status = parts.status.as_u16(),
            rate_limit_remaining = header("x-ratelimit-remaining"),
            request_id = header("x-github-request-id"),
        );
        self.note_release(&parts.headers);
        match body {
            Some(body) if is_good(parts.status) => {
                let new_path = transport::new_path(&parts, &line.path);
                let (status, headers) = (parts.status, parts.headers);
                Ok(Answer { request: line, new_path, status, headers, body })
            }
            None if is_good(parts.status) => {
                Err(ApiError::TooLong { request: line, limit: format!("{ANSWER_LIMIT} bytes") })
            }
            body => {
                let body = body.unwrap_or_default();
                Err(refusal::error_of(line, parts.status, &parts.headers, &body, self.clock.now()))
            }
        }
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

fn is_good(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::NOT_MODIFIED
}

fn may_repeat(error: &ApiError, repeat: Repeat) -> bool {
    match error {
        ApiError::RateLimited { .. } => true,
        ApiError::Unreachable { obstacle, .. } => obstacle.is_none_or(Obstacle::may_pass),
        ApiError::Unclear { .. } => repeat == Repeat::Freely,
        ApiError::Refused { .. } | ApiError::TooLong { .. } | ApiError::Unexpected { .. } => false,
    }
}

fn is_not_found(error: &ApiError) -> bool {
    error.status() == Some(StatusCode::NOT_FOUND)
}

/// The waits between the tries of a call.
struct Delays {
    failures: ExponentialBackoff,
    lags: ExponentialBackoff,
}

impl Default for Delays {
    fn default() -> Self {
        let failures = ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(Duration::from_secs(60))
            .with_max_times(10)
            .with_jitter();
        let lags = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(2))
            .without_max_times();
        Self { failures: failures.build(), lags: lags.build() }
    }
}

impl Delays {
    /// The wait after a failure; none after too many failures.
    fn after_failure(&mut self, error: &ApiError) -> Option<Duration> {
        let delay = self.failures.next()?;
        Some(match error {
            ApiError::RateLimited { wait: Some(wait), .. } => {
                wait.saturating_add(delay.min(Duration::from_secs(3)))
            }
            // "If the request failed due to a secondary limit, wait at least a minute."
            ApiError::RateLimited { wait: None, .. } => delay.max(Duration::from_secs(60)),
            _ => delay,
        })
    }

    /// The wait for an object that appears within `rest`: the last try is at its end.
    fn after_not_found(&mut self, rest: Duration) -> Option<Duration> {
        self.lags.next().map(|delay| delay.min(rest)).filter(|delay| !delay.is_zero())
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
        // GitHub refuses requests that do not name the program that sends them:
        // https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
        .header(USER_AGENT, concat!("release-ticket-action/", env!("CARGO_PKG_VERSION")))
        .header(AUTHORIZATION, bearer);
    match call.tag {
        Some(tag) => builder.header(IF_NONE_MATCH, tag),
        None => builder,
    }
}

/// A connection that could not be opened had no effect; one that broke later is unclear.
fn connection_error(request: Box<RequestLine>, error: &(dyn std::error::Error + 'static)) -> ApiError {
    let mut reasons = Vec::new();
    let mut is_unopened = false;
    for cause in obstacle::causes(error).skip(1) {
        if cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()) {
            // Its causes say why.
            is_unopened = true;
        } else {
            reasons.push(cause.to_string());
        }
    }
    reasons.dedup();
    let reason = if reasons.is_empty() { "the connection broke".to_owned() } else { reasons.join(": ") };
    if is_unopened {
        ApiError::Unreachable { request, reason, obstacle: Obstacle::behind(error) }
    } else {
        ApiError::Unclear { request, reason }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http::{Method, Uri};
    use http_body_util::Full;
    use secrecy::SecretString;

    use super::*;
    use crate::github::pace::{Limits, Pace};

    /// Sends one call to a server that answers these statuses, the last one for ever. Returns the status of
    /// the result, the number of sends, and the milliseconds until the result.
    async fn exchange(method: Method, statuses: &'static [u16], appears_within: u64) -> (u16, usize, u128) {
        let pace = Pace::new(Limits::github());
        let (result, sends, milliseconds) = exchange_at(&pace, method, statuses, appears_within).await;
        let status = result.map_or_else(|error| error.status().expect("a refusal"), |answer| answer.status);
        (status.as_u16(), sends, milliseconds)
    }

    async fn exchange_at(
        pace: &Pace,
        method: Method,
        statuses: &'static [u16],
        appears_within: u64,
    ) -> (Result<Answer, ApiError>, usize, u128) {
        let sends = Arc::new(Mutex::new(0));
        let counter = sends.clone();
        let service = tower::service_fn(move |_| {
            let mut sends = counter.lock().expect("no panic");
            let status = statuses[(*sends).min(statuses.len() - 1)];
            *sends += 1;
            let answer = http::Response::builder().status(status).body(Full::new(Bytes::from("{}")));
            async move { Ok::<_, Infallible>(answer.expect("a response")) }
        });
        let octocrab = transport::over_service(service, Uri::from_static("http://github.example"));
        let api = Api::new(octocrab, Clock::starting_at(Default::default()), Duration::from_secs(60));
        let token = SecretString::from("token");
        let mut call = Call::new(RequestLine::new(method, "/x", "do it"), None, &token);
        call.repeat = Repeat::Never;
        call.appears_within = Duration::from_secs(appears_within);
        call.pace = Some(pace);
        let start = Instant::now();
        let result = api.send(&call).await;
        let sends = *sends.lock().expect("no panic");
        (result, sends, start.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_404_means_not_yet_until_the_lag_is_over() {
        assert_eq!(exchange(Method::GET, &[404, 404, 200], 4).await, (200, 3, 750));
        assert_eq!(exchange(Method::POST, &[404, 201], 4).await, (201, 2, 250), "a write had no effect");
        assert_eq!(exchange(Method::GET, &[404], 4).await, (404, 6, 4_000), "the last try is at the end");
        assert_eq!(exchange(Method::GET, &[404], 30).await, (404, 19, 30_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_404_without_a_lag_and_a_410_are_refusals_at_once() {
        assert_eq!(exchange(Method::GET, &[404, 200], 0).await, (404, 1, 0));
        assert_eq!(exchange(Method::GET, &[410, 200], 30).await, (410, 1, 0));
    }
    #[tokio::test(start_paused = true)]
    async fn every_try_counts_and_one_that_would_have_to_wait_too_long_is_not_sent() {
        let pace = Pace::new(Limits::github());
        for _ in 0..890 {
            let cost = Cost::of(&Method::GET, "/x");
            drop(pace.admit(cost, Duration::ZERO).await.expect("there is room for 900"));
        }
        let (result, sends, milliseconds) = exchange_at(&pace, Method::GET, &[404], 60).await;
        let Err(error) = result else { panic!("an answer") };
        assert_eq!(
            error.to_string(),
            "the request to do it has to wait for GitHub's rate limit: 900 points a minute (5 for a write, 1 for a read) would be \
             exceeded"
        );
        assert_eq!((sends, milliseconds), (10, 15_750));
    }
}
