//! One request to GitHub: its token, its time-out, its retries, and its line in the debug log.
//!
//! Reads, and writes that come out the same when repeated, are tried again after an unclear
//! failure. What must not happen twice is sent once, and the caller looks what became of it. What
//! GitHub put off for its [rate limits](https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately)
//! had no effect, and is sent again in either case.

use std::sync::OnceLock;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use chrono::{DateTime, Utc};
use http::header::{
    ACCEPT, AUTHORIZATION, DATE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LINK, RETRY_AFTER, USER_AGENT,
};
use http::{Method, StatusCode};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::error::{GitHubError, Lack, RequestLine};
use super::tokens::Tokens;
use super::transport;
use crate::job::Clock;
use crate::names::RepoName;
use crate::network::obstacle::{self, Obstacle};

/// How long one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);

/// Whether a request may be sent again after an unclear failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It comes out the same.
    Freely,
    /// It would happen twice.
    Never,
}

/// GitHub, as this action asks it.
#[derive(Debug)]
pub struct GitHub {
    api: Api,
    tokens: Tokens,
}

/// GitHub's API, or another that is like it, asked with whatever token a call brings.
#[derive(Debug)]
pub(super) struct Api {
    octocrab: Octocrab,
    clock: Clock,
    retry_timeout: Duration,
    /// The release of a GitHub Enterprise Server, as its answers tell it.
    enterprise: OnceLock<(u32, u32)>,
}

/// A request with all that is sent.
pub(super) struct Call<'a> {
    line: RequestLine,
    body: Option<&'a Value>,
    bearer: &'a SecretString,
    repeat: Repeat,
    /// What is known already; the answer says only whether it has changed.
    unless: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A call that may be repeated.
    pub(super) fn new(
        method: Method,
        path: impl Into<String>,
        body: Option<&'a Value>,
        bearer: &'a SecretString,
    ) -> Self {
        let line = RequestLine { method, path: path.into() };
        Self { line, body, bearer, repeat: Repeat::Freely, unless: None }
    }
}

/// The first release of GitHub Enterprise Server that takes [`MOST_INPUTS`] inputs for a workflow.
const TAKES_MOST_INPUTS: (u32, u32) = (3, 21);
const MOST_INPUTS: usize = 25;
const MOST_INPUTS_BEFORE: usize = 10;

/// An answer with a good status.
pub(super) struct Answer {
    pub(super) request: RequestLine,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: bytes::Bytes,
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, GitHubError> {
        serde_json::from_slice(&self.body).map_err(|error| GitHubError::Unexpected {
            request: self.request.clone(),
            reason: error.to_string(),
        })
    }

    /// By what GitHub tells later whether this has changed.
    pub(super) fn tag(&self) -> Option<String> {
        self.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
    }

    /// Whether there is a page behind this one.
    pub(super) fn has_next_page(&self) -> bool {
        self.link("next").is_some()
    }

    /// The number of the last page, where a list counts its pages.
    pub(super) fn last_page(&self) -> Option<u64> {
        let url = url::Url::parse(self.link("last")?).ok()?;
        url.query_pairs().find(|(name, _)| name == "page")?.1.parse().ok()
    }

    /// An address from the [`Link` header](https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api).
    fn link(&self, relation: &str) -> Option<&str> {
        let links = self.headers.get(LINK)?.to_str().ok()?;
        let wanted = format!("rel=\"{relation}\"");
        let link = links.split(',').find(|link| link.contains(&wanted))?;
        link.split_once('<')?.1.split_once('>').map(|(url, _)| url)
    }

    /// GitHub's time when it answered.
    pub(super) fn date(&self) -> Option<DateTime<Utc>> {
        date(&self.headers)
    }
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| date.to_utc())
}

/// A request before it is sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) repository: &'a RepoName,
    /// Below `/repos/owner/name`, with its query.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) repeat: Repeat,
    /// What is known already; the answer says only whether it has changed.
    unless: Option<String>,
}

impl<'a> Request<'a> {
    pub(super) fn get(repository: &'a RepoName, path: impl Into<String>) -> Self {
        Self::new(Method::GET, repository, path, Repeat::Freely)
    }

    pub(super) fn new(
        method: Method,
        repository: &'a RepoName,
        path: impl Into<String>,
        repeat: Repeat,
    ) -> Self {
        Self { method, repository, path: path.into(), body: None, repeat, unless: None }
    }

    pub(super) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Asks only whether something has changed since it had `tag`.
    pub(super) fn unless(self, tag: Option<&String>) -> Self {
        Self { unless: tag.cloned(), ..self }
    }

    fn line(&self) -> RequestLine {
        RequestLine { method: self.method.clone(), path: format!("/repos/{}{}", self.repository, self.path) }
    }

    fn with<'t>(&'t self, bearer: &'t SecretString) -> Call<'t> {
        Call {
            line: self.line(),
            body: self.body.as_ref(),
            bearer,
            repeat: self.repeat,
            unless: self.unless.as_deref(),
        }
    }
}

impl GitHub {
    /// GitHub behind `octocrab`, asked with `tokens`; waits and repeats for `retry_timeout` at most.
    #[must_use]
    pub fn new(octocrab: Octocrab, tokens: Tokens, clock: Clock, retry_timeout: Duration) -> Self {
        Self { api: Api::new(octocrab, clock, retry_timeout), tokens }
    }

    /// Which token goes with which repository.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Revokes what was minted, as far as that is done `within` this time. Nothing can be asked
    /// afterwards.
    pub async fn revoke_tokens(&self, within: Duration) {
        let revoked = tokio::time::timeout(within, self.tokens.revoke(&self.api)).await;
        if revoked.is_err() {
            tracing::info!(
                "there was no time left to revoke every token; they end by themselves within the hour"
            );
        }
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.api.clock
    }

    /// How many inputs a workflow takes when it is started, on the server that has answered so far.
    #[must_use]
    pub fn most_inputs(&self) -> usize {
        let is_older = self.api.enterprise.get().is_some_and(|release| *release < TAKES_MOST_INPUTS);
        if is_older { MOST_INPUTS_BEFORE } else { MOST_INPUTS }
    }

    /// Sends `request` until there is a clear answer or no time left.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Answer, GitHubError> {
        let token = self.token_for(&request).await?;
        match self.api.send(&request.with(&token)).await {
            // Another ended it, or its hour was over earlier than it said.
            Err(error)
                if error.status() == Some(StatusCode::UNAUTHORIZED) && self.tokens.forget(&token).await =>
            {
                tracing::info!("a minted token is refused; going on with another: {error}");
                let token = self.token_for(&request).await?;
                self.api.send(&request.with(&token)).await
            }
            answer => answer,
        }
        .map_err(|error| self.tokens.explain(request.repository, error))
    }

    async fn token_for(&self, request: &Request<'_>) -> Result<SecretString, GitHubError> {
        let token = self.tokens.for_repository(&self.api, request.repository).await;
        token.map_err(|why| GitHubError::NoToken { request: request.line(), why: Box::new(why) })
    }
}

impl Api {
    pub(super) fn new(octocrab: Octocrab, clock: Clock, retry_timeout: Duration) -> Self {
        Self { octocrab, clock, retry_timeout, enterprise: OnceLock::new() }
    }

    /// The time.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Notes the server's release: `enterprise-server@3.20.1`.
    fn note_server(&self, headers: &HeaderMap) {
        let Some(Ok(version)) = headers.get("x-github-enterprise-version").map(HeaderValue::to_str) else {
            return;
        };
        let mut numbers = version.trim_start_matches("enterprise-server@").split('.').map(str::parse);
        if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) {
            let _ = self.enterprise.set((major, minor));
        }
    }

    /// Sends `call` until there is a clear answer or no time left.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, GitHubError> {
        let began = Instant::now();
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(Duration::from_secs(60))
            .with_max_times(10)
            .with_jitter();
        (|| self.exchange(call))
            .retry(backoff)
            .sleep(tokio::time::sleep)
            .when(|error| match error {
                GitHubError::RateLimited { .. } => true,
                GitHubError::Unreachable { obstacle, .. } => obstacle.is_none_or(Obstacle::may_pass),
                GitHubError::Unclear { .. } => call.repeat == Repeat::Freely,
                _ => false,
            })
            .adjust(|error, delay| {
                let delay = match error {
                    GitHubError::RateLimited { wait: Some(wait), .. } => {
                        Some(wait.saturating_add(delay?.min(Duration::from_secs(3))))
                    }
                    // "If the request failed due to a secondary limit, wait at least a minute."
                    GitHubError::RateLimited { wait: None, .. } => Some(delay?.max(Duration::from_secs(60))),
                    _ => delay,
                };
                delay.filter(|delay| began.elapsed().saturating_add(*delay) <= self.retry_timeout)
            })
            .notify(|error, delay| {
                tracing::info!("waiting {} s, then trying again: {error}", delay.as_secs_f32().ceil());
            })
            .await
    }

    /// Sends `call` once.
    pub(super) async fn exchange(&self, call: &Call<'_>) -> Result<Answer, GitHubError> {
        let line = call.line.clone();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", call.bearer.expose_secret()))
            .expect("tokens are checked to be printable ASCII when they are read");
        bearer.set_sensitive(true);
        let unexpected = |error: String| GitHubError::Unexpected { request: line.clone(), reason: error };
        let builder = http::Request::builder()
            .method(&line.method)
            .uri(&line.path)
            .header(ACCEPT, "application/vnd.github+json")
            // GitHub refuses who does not say who asks:
            // https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
            .header(USER_AGENT, concat!("release-ticket-action/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, bearer);
        let builder = match call.unless {
            Some(tag) => builder.header(IF_NONE_MATCH, tag),
            None => builder,
        };
        let built = self.octocrab.build_request(builder, call.body);
        let built = built.map_err(|error| unexpected(error.to_string()))?;

        let started = Instant::now();
        let exchange = async { transport::body_of(self.octocrab.execute(built).await?).await };
        let answered = tokio::time::timeout(EXCHANGE_LIMIT, exchange).await;
        let took = started.elapsed();
        let (parts, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::debug!(target: "request", request = %line, took = took.as_millis(), "no answer");
                return Err(broken(line, &error));
            }
            Err(_) => {
                tracing::debug!(target: "request", request = %line, took = took.as_millis(), "no answer in time");
                let reason = format!("no answer within {} s", EXCHANGE_LIMIT.as_secs());
                return Err(GitHubError::Unclear { request: line, reason });
            }
        };
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
        tracing::debug!(
            target: "request",
            request = %line,
            took = took.as_millis(),
            status = parts.status.as_u16(),
            rate_limit_remaining = header("x-ratelimit-remaining"),
            request_id = header("x-github-request-id"),
        );
        self.note_server(&parts.headers);
        if parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED {
            return Ok(Answer { request: line, status: parts.status, headers: parts.headers, body });
        }
        Err(self.refusal(line, parts.status, &parts.headers, &body))
    }

    fn refusal(
        &self,
        request: RequestLine,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> GitHubError {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let reply: Reply = serde_json::from_slice(body).unwrap_or_default();
        let message = reply.told(status);
        if status.is_server_error() {
            return GitHubError::Unclear { request, reason: format!("{status}, {message}") };
        }
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u64>().ok());
        let retry_after = number(RETRY_AFTER.as_str());
        let exhausted = number("x-ratelimit-remaining") == Some(0);
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::FORBIDDEN
                && (retry_after.is_some() || exhausted || message.to_lowercase().contains("rate limit"));
        if limited {
            let reset = number("x-ratelimit-reset").filter(|_| exhausted).map(|reset| {
                let now = u64::try_from(self.clock.now().timestamp()).unwrap_or(0);
                Duration::from_secs(reset.saturating_sub(now).saturating_add(1))
            });
            return GitHubError::RateLimited {
                request,
                message,
                wait: retry_after.map(Duration::from_secs).or(reset),
            };
        }
        GitHubError::Refused {
            request,
            status,
            message,
            lack: (status == StatusCode::FORBIDDEN).then(|| {
                Box::new(Lack { accepted: header("x-accepted-github-permissions"), ..Lack::default() })
            }),
            date: date(headers),
        }
    }
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
    fn told(&self, status: StatusCode) -> String {
        let mut told = self.message.trim().to_owned();
        if told.is_empty() {
            told = status.canonical_reason().unwrap_or("no reason given").to_owned();
        }
        let errors = self.errors.as_array().map(Vec::as_slice).unwrap_or_default();
        let details: Vec<String> = errors
            .iter()
            .map(|error| {
                let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
                let told = [text("resource"), text("field"), text("code"), text("message")];
                error.as_str().map_or_else(
                    || told.join(" ").split_whitespace().collect::<Vec<_>>().join(" "),
                    str::to_owned,
                )
            })
            .filter(|detail| !detail.is_empty())
            .collect();
        if details.is_empty() { told } else { format!("{told} ({})", details.join("; ")) }
    }
}

/// A connection that could not be opened had no effect; one that broke later is unclear.
fn broken(request: RequestLine, error: &octocrab::Error) -> GitHubError {
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
        GitHubError::Unreachable { request, reason, obstacle: Obstacle::behind(error) }
    } else {
        GitHubError::Unclear { request, reason }
    }
}
