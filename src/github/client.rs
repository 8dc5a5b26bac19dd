//! A request of this action to GitHub: with the token of its repository, and with another one if
//! GitHub does not take that any more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use octocrab::Octocrab;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Notify;

use super::api::{Answer, Api, ApiError, Call, EnterpriseRelease, Repeat, RequestLine};
use super::error::GitHubError;
use super::lag::Expected;
use super::moved::{Named, issue_of};
use super::pace::{Limits, Pace, Paces};
use super::role::Roles;
use super::tokens::app::AppError;
use super::tokens::secret::is_of_installation;
use super::tokens::{TokenError, Tokens, Unrevoked};
use crate::job::Clock;
use crate::names::{IssueRef, RepoName};
use crate::network::Network;

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
    /// When the latest of the rate limits ends that GitHub has named.
    limited_until: Mutex<Option<DateTime<Utc>>>,
    /// Told when the step has to be quick.
    hurry: Notify,
    /// The way to other servers, on which GitHub keeps the logs of jobs.
    pub(super) network: Option<Network>,
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
            limited_until: Mutex::default(),
            hurry: Notify::new(),
            network: None,
        }
    }

    /// The same, with a way to other servers.
    #[must_use]
    pub fn with_network(self, network: Network) -> Self {
        Self { network: Some(network), ..self }
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
        self.hurry.notify_waiters();
    }

    /// Ends when the step has to be quick: what it could do without is given up.
    pub async fn hurried(&self) {
        let hurry = self.hurry.notified();
        if !self.paces.is_hurried() {
            hurry.await;
        }
    }

    /// When the rate limit ends for which GitHub has refused a request of this step, if that is still to come.
    #[must_use]
    pub fn limited_until(&self) -> Option<DateTime<Utc>> {
        let limited_until = *self.limited_until.lock().unwrap_or_else(PoisonError::into_inner);
        limited_until.filter(|end| *end > self.clock().now())
    }

    fn note_limit(&self, error: &ApiError) {
        let ApiError::RateLimited { wait: Some(wait), .. } = error else { return };
        let ends =
            TimeDelta::from_std(*wait).ok().and_then(|wait| self.clock().now().checked_add_signed(wait));
        let mut limited_until = self.limited_until.lock().unwrap_or_else(PoisonError::into_inner);
        *limited_until = ends.max(*limited_until);
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
        let give = async || self.token_for(&request).await;
        let send = async |token: &SecretString| self.send_with(token, &request).await;
        let (token, answer) = self.with_good_token(give, send).await?;
        match answer {
            Ok(answer) => {
                self.tokens.note_good(request.repository, self.clock().now());
                self.say_new_name(&request, &token, &answer).await;
                Ok(answer)
            }
            Err(error) => Err({
                self.note_limit(&error);
                match self.transferred(&request, &token, &error).await {
                    Some(remedy) => GitHubError::Refused { refusal: error, remedy },
                    None => self.explain(request.repository, error),
                }
            }),
        }
    }

    /// Asks what is at `path` below `/orgs/organization`, about its members, until there is a clear answer or no time
    /// left.
    pub(super) async fn ask_organization(
        &self,
        organization: &str,
        path: &str,
        purpose: String,
    ) -> Result<Answer, GitHubError> {
        let line = RequestLine::new(Method::GET, format!("/orgs/{}{path}", path_part(organization)), purpose);
        let give = async || {
            let token = self.tokens.for_members(&self.api, organization).await;
            token.map_err(|error| GitHubError::NoToken { error: Box::new(error), instead: None })
        };
        let send = async |token: &SecretString| {
            let pace = self.paces.of(token);
            self.api.send(&Call { pace: Some(&pace), ..Call::new(line.clone(), None, token) }).await
        };
        let (_, answer) = self.with_good_token(give, send).await?;
        answer.map_err(|error| {
            self.note_limit(&error);
            error.into()
        })
    }

    /// Sends a request with a token; with another one if GitHub does not take that, and another can be minted.
    async fn with_good_token(
        &self,
        give: impl AsyncFn() -> Result<SecretString, GitHubError>,
        send: impl AsyncFn(&SecretString) -> Result<Answer, ApiError>,
    ) -> Result<(SecretString, Result<Answer, ApiError>), GitHubError> {
        let token = give().await?;
        match send(&token).await {
            // Somebody revoked it, or it ended earlier than it was to.
            Err(error)
                if error.status() == Some(StatusCode::UNAUTHORIZED) && self.tokens.forget(&token).await =>
            {
                tracing::info!("a minted token is refused; going on with another: {error}");
                let token = give().await?;
                let answer = send(&token).await;
                Ok((token, answer))
            }
            answer => Ok((token, answer)),
        }
    }

    /// Says once what has another name now, if GitHub has redirected `request`.
    async fn say_new_name(&self, request: &Request<'_>, token: &SecretString, answer: &Answer) {
        let (moves, repository) = (self.api.moves(), request.repository);
        let issue = issue_of(repository, &request.path).filter(|(_, below)| below.is_empty());
        let old = issue.as_ref().map_or_else(|| repository.to_string(), |(issue, _)| issue.to_string());
        if answer.redirected.is_none() || !moves.is_new(&old) {
            return;
        }
        let path = format!("/repos/{repository}");
        let named = self.ask(path, format!("show {repository}"), token).await;
        match named {
            Some((Named { full_name: Some(new), .. }, true)) => {
                moves.say(&repository.to_string(), &new.to_string());
            }
            // The repository is where it was: the issue has moved.
            _ => {
                let new = answer.json::<Named>().ok().and_then(|named| named.issue());
                new.into_iter().for_each(|new| moves.say(&old, &new.to_string()));
            }
        }
    }

    /// What to do where the issue that `request` is about was transferred. GitHub redirects a request for the issue
    /// itself, and answers 404 for its comments.
    async fn transferred(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        error: &ApiError,
    ) -> Option<String> {
        let (issue, _) = issue_of(request.repository, &request.path).filter(|_| error.is_gone())?;
        let path = format!("/repos/{}/issues/{}", issue.repository, issue.number);
        if path == request.path && request.method == Method::GET {
            return None;
        }
        let (named, is_redirected) = self.ask(path, format!("show {issue}"), token).await?;
        let new = named.issue().filter(|_| is_redirected)?;
        Some(format!("{issue} is now {new}; name that ticket"))
    }

    /// What is at `path`, and whether GitHub has redirected there; none if it does not say.
    async fn ask(&self, path: String, purpose: String, token: &SecretString) -> Option<(Named, bool)> {
        let pace = self.paces.of(token);
        let mut call = Call::new(RequestLine::new(Method::GET, path, purpose), None, token);
        call.pace = Some(&pace);
        let answer = self.api.send(&call).await.ok()?;
        Some((answer.json().ok()?, answer.redirected.is_some()))
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

    /// Whether the token for `repository` is one of an App's installation.
    pub(super) async fn is_of_installation(&self, repository: &RepoName) -> Result<bool, GitHubError> {
        let token = self.tokens.for_repository(&self.api, repository).await;
        let token = token.map_err(|error| self.without_token(repository, error))?;
        Ok(is_of_installation(&token))
    }

    /// Names the permission that the token lacks, if GitHub refused for that, or the input whose token has ended; and
    /// what could be given in place of `token`.
    fn explain(&self, repository: &RepoName, refusal: ApiError) -> GitHubError {
        let lack = self.tokens.lack(repository, &refusal);
        let is_about_token = lack.is_some()
            || matches!(refusal.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND));
        let is_ended = refusal.status() == Some(StatusCode::UNAUTHORIZED);
        let renewal = is_ended.then(|| self.tokens.renewal(repository)).flatten();
        let explained = match (lack, renewal) {
            (Some(lack), _) => GitHubError::Forbidden { refusal, lack: Box::new(lack) },
            (None, Some(remedy)) => GitHubError::Refused { refusal, remedy },
            (None, None) => refusal.into(),
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
