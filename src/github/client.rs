//! A request of this action to GitHub: with the token of its repository, and with another one if
//! GitHub does not take that any more.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::api::{Answer, Api, ApiError, Call, EnterpriseRelease, Repeat, RequestLine};
use super::error::GitHubError;
use super::lag::Expected;
use super::pace::{Limits, Pace, Paces};
use super::role::Roles;
use super::tokens::app::AppError;
use super::tokens::{TokenError, Tokens, Unrevoked};
use crate::job::Clock;
use crate::names::{IssueRef, RepoName};

/// GitHub, as this action asks it.
#[derive(Debug)]
pub struct GitHub {
    api: Api,
    tokens: Tokens,
    expected: Expected,
    paces: Paces,
    pub(super) roles: Roles,
    /// The accounts under which this step writes, as far as it knows them.
    pub(super) identities: tokio::sync::Mutex<BTreeMap<RepoName, String>>,
}

/// A request to a repository, before it has a token.
pub(super) struct Request<'a> {
    method: Method,
    /// Whose token goes with it.
    repository: &'a RepoName,
    /// With its query.
    path: String,
    /// What GitHub is asked to do, for people.
    purpose: String,
    body: Option<Value>,
    repeat: Repeat,
    /// The tag of the caller's copy: the answer says whether that has changed, and only then what it is now.
    unless: Option<String>,
    /// A 404 within this time from the first try means "not yet".
    appears_within: Duration,
}

impl<'a> Request<'a> {
    pub(super) fn get(repository: &'a RepoName, path: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self::new(Method::GET, repository, path, Repeat::Freely, purpose)
    }

    /// A question that is not about `repository`, asked with its token.
    pub(super) fn outside(repository: &'a RepoName, path: &str, purpose: &str) -> Self {
        Self { path: path.to_owned(), ..Self::get(repository, "", purpose) }
    }

    /// A request about what is at `path` below `/repos/owner/name`. Errors say what it is for: GitHub refused
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
            unless: None,
            appears_within: Duration::ZERO,
        }
    }

    pub(super) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Asks only whether something has changed since it had `tag`.
    pub(super) fn unless(self, tag: Option<&String>) -> Self {
        Self { unless: tag.cloned(), ..self }
    }

    /// Takes a 404 for "not yet" until `lag` is over, and only then for a refusal. A request that is 404
    /// had no effect, so this goes for every method.
    pub(super) fn appears_within(self, lag: Duration) -> Self {
        Self { appears_within: lag, ..self }
    }

    fn with<'t>(&'t self, bearer: &'t SecretString, pace: &'t Pace) -> Call<'t> {
        Call {
            line: RequestLine::new(self.method.clone(), &self.path, &self.purpose),
            body: self.body.as_ref(),
            bearer,
            repeat: self.repeat,
            unless: self.unless.as_deref(),
            appears_within: self.appears_within,
            pace: Some(pace),
        }
    }
}

impl GitHub {
    /// GitHub behind `octocrab`, asked with `tokens`; waits and repeats for `retry_timeout` at most.
    #[must_use]
    pub fn new(octocrab: Octocrab, tokens: Tokens, clock: Clock, retry_timeout: Duration) -> Self {
        Self {
            api: Api::new(octocrab, clock, retry_timeout),
            tokens,
            expected: Expected::default(),
            paces: Paces::new(Limits::github()),
            roles: Roles::default(),
            identities: tokio::sync::Mutex::default(),
        }
    }

    /// Which token goes with which repository.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Revokes the minted tokens, as far as that is done `within` this time. Nothing can be asked
    /// afterwards.
    pub async fn revoke_tokens(&self, within: Duration) {
        revoke(&self.api, self.tokens.unrevoked(), within).await;
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.api.clock()
    }

    /// Waits no longer to stay below GitHub's limits: the runner has cancelled the step, which has seconds left.
    pub fn hurry(&self) {
        self.paces.hurry();
    }

    /// Notes that `issue` exists, because this step has created it or found it in a list: requests about
    /// it take a 404 for "not yet" for longer than those about other issues.
    pub fn expect(&self, issue: &IssueRef) {
        self.expected.note(issue);
    }

    /// The time within which `issue` appears, if it exists.
    pub(super) fn lag_of(&self, issue: &IssueRef) -> Duration {
        self.expected.lag_of(issue)
    }

    /// The server's release, if it is a GitHub Enterprise Server and has answered before.
    pub(super) fn enterprise_release(&self) -> Option<EnterpriseRelease> {
        self.api.enterprise_release()
    }

    /// Sends `request` until there is a clear answer or no time left.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Answer, GitHubError> {
        let token = self.token_for(&request).await?;
        match self.send_with(&token, &request).await {
            // Somebody revoked it, or it ended earlier than it was to.
            Err(error)
                if error.status() == Some(StatusCode::UNAUTHORIZED) && self.tokens.forget(&token).await =>
            {
                tracing::info!("a minted token is refused; going on with another: {error}");
                let token = self.token_for(&request).await?;
                self.send_with(&token, &request).await
            }
            answer => answer,
        }
        .map_err(|error| self.explain(request.repository, error))
    }

    async fn send_with(&self, token: &SecretString, request: &Request<'_>) -> Result<Answer, ApiError> {
        self.api.send(&request.with(token, &self.paces.of(token))).await
    }

    async fn token_for(&self, request: &Request<'_>) -> Result<SecretString, GitHubError> {
        let token = self.tokens.for_repository(&self.api, request.repository).await;
        token.map_err(|error| self.without_token(request.repository, error))
    }

    fn without_token(&self, repository: &RepoName, error: TokenError) -> GitHubError {
        let is_blank = matches!(error, TokenError::Blank | TokenError::App(AppError::NoKey { .. }));
        let instead = is_blank.then(|| self.tokens.instead(repository)).flatten();
        GitHubError::NoToken { error: Box::new(error), instead }
    }

    /// The name of the App that acts in `repository`, if it is one whose key this step has.
    pub(super) async fn app_of(&self, repository: &RepoName) -> Result<Option<String>, GitHubError> {
        let slug = self.tokens.app_of(&self.api, repository).await;
        slug.map_err(|error| self.without_token(repository, error))
    }

    /// Whether the token for `repository` is one of an App's installation, by
    /// [its prefix](https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats).
    pub(super) async fn is_of_installation(&self, repository: &RepoName) -> Result<bool, GitHubError> {
        let token = self.tokens.for_repository(&self.api, repository).await;
        let token = token.map_err(|error| self.without_token(repository, error))?;
        Ok(token.expose_secret().starts_with("ghs_"))
    }

    /// Names the permission that the token lacks, if GitHub refused for that; and what could be given in place of
    /// `token`.
    fn explain(&self, repository: &RepoName, refusal: ApiError) -> GitHubError {
        let lack = self.tokens.lack(repository, &refusal);
        let is_about_token = lack.is_some()
            || matches!(refusal.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND));
        let explained = match lack {
            Some(lack) => GitHubError::Forbidden { refusal, lack: Box::new(lack) },
            None => refusal.into(),
        };
        let may_give_another = is_about_token && self.tokens.is_plain_for(repository);
        match may_give_another.then(|| self.tokens.instead(repository)).flatten() {
            Some(instead) => explained.or_else_do(instead),
            None => explained,
        }
    }
}

/// Revokes `tokens` over a way of its own, as far as that is done `within` this time.
pub async fn revoke_tokens(octocrab: Octocrab, tokens: &Unrevoked, clock: Clock, within: Duration) {
    revoke(&Api::new(octocrab, clock, within), tokens, within).await;
}

async fn revoke(api: &Api, tokens: &Unrevoked, within: Duration) {
    if tokio::time::timeout(within, tokens.revoke(api)).await.is_err() {
        tracing::info!(
            "there was no time left to revoke every token; they end by themselves within the hour"
        );
    }
}

/// Text as one part of a path.
pub(super) fn path_part(text: &str) -> impl std::fmt::Display + '_ {
    const ESCAPED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, ESCAPED)
}
