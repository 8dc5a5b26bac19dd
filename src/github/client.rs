//! A request of this action to GitHub: with the token of its repository, and with another one if
//! GitHub refuses that.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use octocrab::Octocrab;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;

use super::api::{Answer, Api, ApiError, Call, EnterpriseRelease, Repeat, RequestLine};
use super::error::GitHubError;
use super::lag::ExpectedIssues;
use super::moves::{NameReply, issue_of};
use super::pace::{Limits, Pace, Paces};
use super::role::Roles;
use super::tokens::app::AppError;
use super::tokens::secret::is_of_installation;
use super::tokens::{LiveTokens, TokenError, Tokens};
use crate::job::Clock;
use crate::names::{IssueRef, RepoName};
use crate::network::Network;
use crate::problem::{Advice, Topic};

/// The client for GitHub.
#[derive(Debug)]
pub struct GitHub {
    api: Api,
    tokens: Tokens,
    expected_issues: ExpectedIssues,
    paces: Paces,
    pub(super) roles: Roles,
    /// The accounts under which this step writes, each from its first use on.
    pub(super) identities: tokio::sync::Mutex<BTreeMap<RepoName, String>>,
    /// The latest end of a rate limit that GitHub has named.
    rate_limit_end: Mutex<Option<DateTime<Utc>>>,
    /// Notified when the runner has cancelled the step.
    hurry: Notify,
    /// For other servers, on which GitHub keeps the logs of jobs.
    pub(super) network: Option<Network>,
}

/// A request to a repository, before it has a token.
pub(super) struct Request<'a> {
    method: Method,
    /// The repository whose token goes with it.
    repository: &'a RepoName,
    /// With its query.
    path: String,
    /// The purpose of the request, for people.
    purpose: String,
    body: Option<Value>,
    repeat: Repeat,
    /// The tag of the caller's copy: the answer has a body only if that has changed.
    tag: Option<String>,
    /// A 404 within this time from the first try means "not yet".
    appears_within: Duration,
}

impl<'a> Request<'a> {
    pub(super) fn get(repository: &'a RepoName, path: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self::new(Method::GET, repository, path, Repeat::Freely, purpose)
    }

    /// A question that is not about `repository`, with its token.
    pub(super) fn outside(repository: &'a RepoName, path: &str, purpose: &str) -> Self {
        Self { path: path.to_owned(), ..Self::get(repository, "", purpose) }
    }

    /// A request for `path` below `/repos/owner/name`. Errors name its purpose: GitHub refused
    /// to … `purpose`.
    pub(super) fn new(
        method: Method,
        repository: &'a RepoName,
        path: impl Into<String>,
        repeat: Repeat,
        purpose: impl Into<String>,
    ) -> Self {
        let path: String = path.into();
        Self {
            method,
            repository,
            path: format!("/repos/{repository}{path}"),
            purpose: purpose.into(),
            body: None,
            repeat,
            tag: None,
            appears_within: Duration::ZERO,
        }
    }

    pub(super) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Asks for the object only if it has changed since it had `tag`.
    pub(super) fn tag(self, tag: Option<&String>) -> Self {
        Self { tag: tag.cloned(), ..self }
    }

    /// Takes a 404 for "not yet" until `lag` ends, and then for a refusal. A request that is answered with 404
    /// had no effect, so every method may use this.
    pub(super) fn appears_within(self, lag: Duration) -> Self {
        Self { appears_within: lag, ..self }
    }

    fn to_call<'t>(&'t self, bearer: &'t SecretString, pace: &'t Pace) -> Call<'t> {
        Call {
            line: RequestLine::new(self.method.clone(), &self.path, &self.purpose),
            body: self.body.as_ref(),
            bearer,
            repeat: self.repeat,
            tag: self.tag.as_deref(),
            appears_within: self.appears_within,
            pace: Some(pace),
        }
    }
}

impl GitHub {
    /// GitHub behind `octocrab`, with `tokens`. A request waits and is repeated for `retry_timeout` at most.
    #[must_use]
    pub fn new(octocrab: Octocrab, tokens: Tokens, clock: Clock, retry_timeout: Duration) -> Self {
        Self {
            api: Api::new(octocrab, clock, retry_timeout),
            tokens,
            expected_issues: ExpectedIssues::default(),
            paces: Paces::new(Limits::github()),
            roles: Roles::default(),
            identities: tokio::sync::Mutex::default(),
            rate_limit_end: Mutex::default(),
            hurry: Notify::new(),
            network: None,
        }
    }

    /// The same client, with a network for other servers.
    #[must_use]
    pub fn with_network(self, network: Network) -> Self {
        Self { network: Some(network), ..self }
    }

    /// The token for each repository.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Revokes the minted tokens, in the time `within` at most. No request can be sent
    /// afterwards.
    pub async fn revoke_tokens(&self, within: Duration) {
        revoke(&self.api, self.tokens.live_tokens(), within).await;
    }

    /// The clock of the step.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.api.clock()
    }

    /// Ends all waits for GitHub's limits: the runner has cancelled the step, which has seconds left.
    pub fn hurry(&self) {
        self.paces.hurry();
        self.hurry.notify_waiters();
    }

    /// Returns when the runner has cancelled the step: the caller gives up work that is not necessary.
    pub async fn wait_for_hurry(&self) {
        let hurry = self.hurry.notified();
        if !self.paces.is_hurried() {
            hurry.await;
        }
    }

    /// The end of the rate limit for which GitHub has refused a request of this step; none if it has passed.
    #[must_use]
    pub fn rate_limit_end(&self) -> Option<DateTime<Utc>> {
        let rate_limit_end = *self.rate_limit_end.lock().unwrap_or_else(PoisonError::into_inner);
        rate_limit_end.filter(|end| *end > self.clock().now())
    }

    fn note_limit(&self, error: &ApiError) {
        let ApiError::RateLimited { wait: Some(wait), .. } = error else { return };
        let end =
            TimeDelta::from_std(*wait).ok().and_then(|wait| self.clock().now().checked_add_signed(wait));
        let mut rate_limit_end = self.rate_limit_end.lock().unwrap_or_else(PoisonError::into_inner);
        *rate_limit_end = end.max(*rate_limit_end);
    }

    /// Notes that `issue` exists, because this step has created it or found it in a list: requests about
    /// it take a 404 for "not yet" for a longer time than requests about other issues.
    pub fn expect(&self, issue: &IssueRef) {
        self.expected_issues.note(issue);
    }

    /// The time within which `issue` appears, if it exists.
    pub(super) fn lag_of(&self, issue: &IssueRef) -> Duration {
        self.expected_issues.lag_of(issue)
    }

    /// The server's release, if it is a GitHub Enterprise Server and has answered before.
    pub(super) fn enterprise_release(&self) -> Option<EnterpriseRelease> {
        self.api.enterprise_release()
    }

    /// Sends `request`, and reads the object that it asks for; `None` if that does not exist.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        request: Request<'_>,
    ) -> Result<Option<T>, GitHubError> {
        match self.send(request).await {
            Ok(answer) => Ok(Some(answer.json()?)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends `request` until there is a clear answer or no time left.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Answer, GitHubError> {
        let get_token = async || self.token_for(&request).await;
        let send = async |token: &SecretString| self.send_with(token, &request).await;
        let (token, answer) = self.with_good_token(get_token, send).await?;
        match answer {
            Ok(answer) => {
                self.tokens.note_good(request.repository, self.clock().now());
                self.say_new_name(&request, &token, &answer).await;
                Ok(answer)
            }
            Err(error) => Err({
                self.note_limit(&error);
                match self.transfer_remedy(&request, &token, &error).await {
                    Some(remedy) => GitHubError::Refused { refusal: error, remedy: Box::new(remedy) },
                    None => self.explain(request.repository, error),
                }
            }),
        }
    }

    /// Asks for `path` below `/orgs/organization`, about its members, until there is a clear answer or no time
    /// left.
    pub(super) async fn ask_organization(
        &self,
        organization: &str,
        path: &str,
        purpose: String,
    ) -> Result<Answer, GitHubError> {
        let line = RequestLine::new(Method::GET, format!("/orgs/{}{path}", path_part(organization)), purpose);
        let get_token = async || {
            let token = self.tokens.for_members(&self.api, organization).await;
            token.map_err(|error| GitHubError::NoToken { error: Box::new(error), alternative: None })
        };
        let send = async |token: &SecretString| {
            let pace = self.paces.of(token);
            self.api.send(&Call { pace: Some(&pace), ..Call::new(line.clone(), None, token) }).await
        };
        let (_, answer) = self.with_good_token(get_token, send).await?;
        answer.map_err(|error| {
            self.note_limit(&error);
            error.into()
        })
    }

    /// Sends a request with a token, and with another one if GitHub refuses that and another can be minted.
    async fn with_good_token(
        &self,
        get_token: impl AsyncFn() -> Result<SecretString, GitHubError>,
        send: impl AsyncFn(&SecretString) -> Result<Answer, ApiError>,
    ) -> Result<(SecretString, Result<Answer, ApiError>), GitHubError> {
        let token = get_token().await?;
        match send(&token).await {
            // Somebody revoked it, or it expired too early.
            Err(error)
                if error.status() == Some(StatusCode::UNAUTHORIZED) && self.tokens.forget(&token).await =>
            {
                tracing::info!("GitHub refuses a minted token; going on with another: {error}");
                let token = get_token().await?;
                let answer = send(&token).await;
                Ok((token, answer))
            }
            answer => Ok((token, answer)),
        }
    }

    /// Warns once of a new name, if GitHub has redirected `request`.
    async fn say_new_name(&self, request: &Request<'_>, token: &SecretString, answer: &Answer) {
        let (moves, repository) = (self.api.moves(), request.repository);
        let issue = issue_of(repository, &request.path).filter(|(_, below)| below.is_empty());
        let old = issue.as_ref().map_or_else(|| repository.to_string(), |(issue, _)| issue.to_string());
        if answer.new_path.is_none() || !moves.is_new(&old) {
            return;
        }
        let path = format!("/repos/{repository}");
        let reply = self.ask(path, format!("show {repository}"), token).await;
        match reply {
            Some((NameReply { full_name: Some(new), .. }, true)) => {
                moves.say(&repository.to_string(), &new.to_string());
            }
            // The repository is where it was: the issue has moved.
            _ => {
                let new = answer.json::<NameReply>().ok().and_then(|reply| reply.issue());
                new.into_iter().for_each(|new| moves.say(&old, &new.to_string()));
            }
        }
    }

    /// The remedy if the issue of `request` was transferred. GitHub redirects a request for the issue
    /// itself, and answers 404 for its comments.
    async fn transfer_remedy(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        error: &ApiError,
    ) -> Option<Advice> {
        let (issue, _) = issue_of(request.repository, &request.path).filter(|_| error.is_gone())?;
        let path = format!("/repos/{}/issues/{}", issue.repository, issue.number);
        if path == request.path && request.method == Method::GET {
            return None;
        }
        let (reply, is_redirected) = self.ask(path, format!("show {issue}"), token).await?;
        let new = reply.issue().filter(|_| is_redirected)?;
        Some(Topic::NewName.advice(format!("{issue} is now {new}; name that ticket")))
    }

    /// The names of the object at `path`, and whether GitHub has redirected there; none if GitHub does not answer.
    async fn ask(&self, path: String, purpose: String, token: &SecretString) -> Option<(NameReply, bool)> {
        let pace = self.paces.of(token);
        let mut call = Call::new(RequestLine::new(Method::GET, path, purpose), None, token);
        call.pace = Some(&pace);
        let answer = self.api.send(&call).await.ok()?;
        Some((answer.json().ok()?, answer.new_path.is_some()))
    }

    async fn send_with(&self, token: &SecretString, request: &Request<'_>) -> Result<Answer, ApiError> {
        self.api.send(&request.to_call(token, &self.paces.of(token))).await
    }

    async fn token_for(&self, request: &Request<'_>) -> Result<SecretString, GitHubError> {
        let token = self.tokens.for_repository(&self.api, request.repository).await;
        token.map_err(|error| self.no_token_error(request.repository, error))
    }

    fn no_token_error(&self, repository: &RepoName, error: TokenError) -> GitHubError {
        let is_blank = matches!(error, TokenError::Blank | TokenError::App(AppError::NoKey { .. }));
        let alternative = is_blank.then(|| self.tokens.alternative(repository)).flatten();
        GitHubError::NoToken { error: Box::new(error), alternative }
    }

    /// The name of the App that acts in `repository`, if this step has its key.
    pub(super) async fn app_of(&self, repository: &RepoName) -> Result<Option<String>, GitHubError> {
        let slug = self.tokens.app_of(&self.api, repository).await;
        slug.map_err(|error| self.no_token_error(repository, error))
    }

    /// Whether the token for `repository` is one of an App's installation.
    pub(super) async fn is_of_installation(&self, repository: &RepoName) -> Result<bool, GitHubError> {
        let token = self.tokens.for_repository(&self.api, repository).await;
        let token = token.map_err(|error| self.no_token_error(repository, error))?;
        Ok(is_of_installation(&token))
    }

    /// The error with its remedy: the permission that the token lacks, or the input whose token has expired, and the
    /// alternative to `token`.
    fn explain(&self, repository: &RepoName, refusal: ApiError) -> GitHubError {
        let lack = self.tokens.lack(repository, &refusal);
        let is_about_token = lack.is_some()
            || matches!(refusal.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND));
        let is_unauthorized = refusal.status() == Some(StatusCode::UNAUTHORIZED);
        let renewal = is_unauthorized.then(|| self.tokens.renewal(repository)).flatten();
        let error = match (lack, renewal) {
            (Some(lack), _) => GitHubError::Forbidden { refusal, lack: Box::new(lack) },
            (None, Some(remedy)) => GitHubError::Refused { refusal, remedy: Box::new(remedy) },
            (None, None) => refusal.into(),
        };
        let may_give_another = is_about_token && self.tokens.is_plain_for(repository);
        match may_give_another.then(|| self.tokens.alternative(repository)).flatten() {
            Some(alternative) => error.with_alternative(&alternative),
            None => error,
        }
    }
}

/// Revokes `tokens` over an own connection, in the time `within` at most.
pub async fn revoke_tokens(octocrab: Octocrab, tokens: &LiveTokens, clock: Clock, within: Duration) {
    revoke(&Api::new(octocrab, clock, within), tokens, within).await;
}

async fn revoke(api: &Api, tokens: &LiveTokens, within: Duration) {
    if tokio::time::timeout(within, tokens.revoke(api)).await.is_err() {
        tracing::info!("no time left to revoke every token; they expire by themselves within the hour");
    }
}

/// Text as one part of a path.
pub(super) fn path_part(text: &str) -> impl std::fmt::Display + '_ {
    const ESCAPES: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, ESCAPES)
}
