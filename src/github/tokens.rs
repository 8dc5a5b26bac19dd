//! The tokens of a step: which one goes with which repository, and how long it is used.
//!
//! For the ticket's repository `ticket-token` comes first, then a token service; then, everywhere, the
//! GitHub App; then `token`. The service and the App mint tokens at their first use:
//! the App one for each owner, limited to the [needs](Needs) of the modes, and for a team one that may only read
//! the members of the organization. A minted token is hidden from the log
//! before its first use, replaced before it expires, and revoked at the end of the step.

pub mod app;
mod credentials;
mod identity;
pub mod jwt;
mod lack;
mod live_tokens;
pub(super) mod secret;
pub mod sts;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::api::{Api, ApiError, grants};
use super::needs::Needs;
use crate::names::RepoName;
use crate::problem::{Advice, Help, Topic};
use app::{App, AppError, Area, InstallationToken, MembersToken};
use credentials::Source;
use sts::{StsError, TokenService};

pub use credentials::{Credentials, TicketPlace, TicketToken};
pub use identity::IdentityError;
pub use lack::{Grantee, Lack};
pub use live_tokens::LiveTokens;
pub use secret::{InputToken, Mask};

/// A token is replaced this long before it expires; one that lasts no longer than twice that, after half its
/// time.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The lifetime of a token of a token service: it comes from the service's App, and the service does not report it.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Why the step has no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The step has none for this repository. `token` has a default, so the step sets it to a blank value.
    #[error("`token` is blank: does the secret exist here?")]
    Blank,
    /// The value of this input cannot be sent as a token.
    #[error("`{0}` contains spaces, line breaks or other characters that no token has")]
    Garbled(&'static str),
    /// The App gives none.
    #[error(transparent)]
    App(#[from] AppError),
    /// The token service gives none.
    #[error(transparent)]
    Sts(#[from] StsError),
}

impl Help for TokenError {
    fn help(&self) -> Option<Advice> {
        match self {
            Self::Blank => Some(Topic::BlankSecret.advice(
                "give the step a `token` that this run has; runs that forks and Dependabot start get no secrets",
            )),
            Self::Garbled(_) => {
                Some(Topic::Credentials.advice("put the token alone into the secret, as GitHub gave it"))
            }
            Self::App(error) => error.help(),
            Self::Sts(error) => error.help(),
        }
    }
}

/// The tokens of a step.
#[derive(Debug)]
pub struct Tokens {
    credentials: Credentials,
    mask: Mask,
    needs: Mutex<Needs>,
    // Locked while a token is minted, so that all requests that need it wait for the same one.
    minted_tokens: tokio::sync::Mutex<MintedTokens>,
    live_tokens: LiveTokens,
    /// The last time that GitHub accepted the token of each input.
    good_at: Mutex<BTreeMap<&'static str, DateTime<Utc>>>,
}

/// The minted tokens in use.
#[derive(Debug, Default)]
struct MintedTokens {
    /// By the owner of the repositories in lower case, or by a repository that was transferred to another owner.
    by_owner: BTreeMap<String, OwnerToken>,
    /// Of the token service, for the ticket's repository, and the end of its use.
    service_token: Option<(SecretString, Instant)>,
    /// To read the members of organizations, by the organization in lower case, and the end of their use.
    by_organization: BTreeMap<String, (SecretString, Instant)>,
}

impl MintedTokens {
    /// The key of the App's token for `repository`, if it has been minted.
    fn key_of(&self, repository: &RepoName) -> String {
        let key = repository_key(repository);
        if self.by_owner.contains_key(&key) { key } else { repository.owner().to_ascii_lowercase() }
    }
}

/// The end of the use of a token with this lifetime.
fn fresh_until(lifetime: TimeDelta) -> Instant {
    let lifetime = lifetime.to_std().unwrap_or_default();
    Instant::now() + lifetime - MARGIN.min(lifetime / 2)
}

/// The key of the token for a transferred repository.
fn repository_key(repository: &RepoName) -> String {
    repository.to_string().to_ascii_lowercase()
}

/// The App's token for the repositories of one owner.
#[derive(Debug)]
struct OwnerToken {
    token: InstallationToken,
    needs: Needs,
    fresh_until: Instant,
}

impl Tokens {
    /// Tokens by `credentials`; `mask` hides a minted token before its first use.
    #[must_use]
    pub fn new(credentials: Credentials, mask: Mask) -> Self {
        Self {
            credentials,
            mask,
            needs: Mutex::default(),
            minted_tokens: tokio::sync::Mutex::default(),
            live_tokens: LiveTokens::default(),
            good_at: Mutex::default(),
        }
    }

    /// The tokens that must still be revoked.
    #[must_use]
    pub fn live_tokens(&self) -> &LiveTokens {
        &self.live_tokens
    }

    /// Adds `needs` to the needs of the step.
    pub fn need(&self, needs: Needs) {
        self.needs.lock().unwrap_or_else(PoisonError::into_inner).extend(needs);
    }

    /// Whether the same account asks in both repositories; no if the step cannot know.
    #[must_use]
    pub fn is_same_account(&self, one: &RepoName, other: &RepoName) -> bool {
        self.credentials.is_same_account(one, other)
    }

    /// The token for `repository`, minted if necessary.
    pub(super) async fn for_repository(
        &self,
        api: &Api,
        repository: &RepoName,
    ) -> Result<SecretString, TokenError> {
        match self.credentials.source(repository) {
            Some(Source::Input(token)) => token.secret.clone().ok_or(TokenError::Garbled(token.input)),
            Some(Source::Service(service)) => Ok(self.token_by_service(service).await?),
            Some(Source::App(app)) => Ok(self.token_by_app(app, api, repository).await?),
            None => Err(TokenError::Blank),
        }
    }

    async fn token_by_service(&self, service: &TokenService) -> Result<SecretString, StsError> {
        let mut minted_tokens = self.minted_tokens.lock().await;
        if let Some((token, fresh_until)) = &minted_tokens.service_token
            && Instant::now() < *fresh_until
        {
            return Ok(token.clone());
        }
        let token = service.exchange(self.mask).await?;
        self.live_tokens.add(token.clone());
        minted_tokens.service_token = Some((token.clone(), Instant::now() + LIFETIME - MARGIN));
        Ok(token)
    }

    /// The token that reads the members of `organization`, minted if necessary.
    pub(super) async fn for_members(
        &self,
        api: &Api,
        organization: &str,
    ) -> Result<SecretString, TokenError> {
        match self.credentials.source_of_members(organization) {
            Some(Source::Input(token)) => token.secret.clone().ok_or(TokenError::Garbled(token.input)),
            Some(Source::Service(service)) => Ok(self.token_by_service(service).await?),
            Some(Source::App(app)) => Ok(self.token_for_members(app, api, organization).await?),
            None => Err(TokenError::Blank),
        }
    }

    async fn token_for_members(
        &self,
        app: &App,
        api: &Api,
        organization: &str,
    ) -> Result<SecretString, AppError> {
        let mut minted_tokens = self.minted_tokens.lock().await;
        let key = organization.to_ascii_lowercase();
        if let Some((token, fresh_until)) = minted_tokens.by_organization.get(&key)
            && Instant::now() < *fresh_until
        {
            return Ok(token.clone());
        }
        let MembersToken { secret, lifetime } = app.mint_for_members(api, self.mask, organization).await?;
        self.live_tokens.add(secret.clone());
        minted_tokens.by_organization.insert(key, (secret.clone(), fresh_until(lifetime)));
        Ok(secret)
    }

    /// The holder of the permission to read the members of `organization`; none if the step has no token.
    pub(super) fn grantee_for_members(&self, organization: &str) -> Option<Grantee> {
        self.credentials.source_of_members(organization).map(|source| source.grantee())
    }

    /// The name of the App that acts in `repository`, if this step has its key.
    pub(super) async fn app_of(
        &self,
        api: &Api,
        repository: &RepoName,
    ) -> Result<Option<String>, TokenError> {
        if !matches!(self.credentials.source(repository), Some(Source::App(_))) {
            return Ok(None);
        }
        self.for_repository(api, repository).await?;
        let minted_tokens = self.minted_tokens.lock().await;
        let owner_token = minted_tokens.by_owner.get(&minted_tokens.key_of(repository));
        Ok(owner_token.and_then(|owner_token| owner_token.token.app.clone()))
    }

    async fn token_by_app(
        &self,
        app: &App,
        api: &Api,
        repository: &RepoName,
    ) -> Result<SecretString, AppError> {
        let owner = repository.owner().to_ascii_lowercase();
        let is_of_app = |repository: &RepoName| {
            repository.owner().eq_ignore_ascii_case(&owner)
                && matches!(self.credentials.source(repository), Some(Source::App(_)))
        };
        let mut needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner).of(is_of_app);
        needs.see(repository);
        let mut minted_tokens = self.minted_tokens.lock().await;
        let mut key = minted_tokens.key_of(repository);
        let owner_token = minted_tokens.by_owner.get(&key);
        let is_enough = |token: &OwnerToken| token.needs.cover(&needs) && Instant::now() < token.fresh_until;
        if !owner_token.is_some_and(is_enough) {
            if let Some(owner_token) = owner_token {
                needs.extend(owner_token.needs.clone());
            }
            let token = app.mint(api, self.mask, repository, &needs).await?;
            self.live_tokens.add(token.secret.clone());
            let fresh_until = fresh_until(token.lifetime);
            key = if token.is_elsewhere { repository_key(repository) } else { owner };
            minted_tokens.by_owner.insert(key.clone(), OwnerToken { token, needs, fresh_until });
        }
        let OwnerToken { token, needs, .. } = &minted_tokens.by_owner[&key];
        let (app, settings) = (app.id.clone(), token.settings.clone());
        if !token.repositories.contains(repository) {
            return Err(AppError::NotSelected { app, repository: repository.clone(), settings });
        }
        let missing_grants = needs.missing_grants(repository, &token.permissions);
        if !missing_grants.is_empty() {
            let area = Area::Repository(repository.clone());
            return Err(AppError::NotGranted { app, area, missing_grants, settings });
        }
        Ok(token.secret.clone())
    }

    /// The permission that the token for `repository` lacks, if that is the reason of the refusal, with the level that
    /// the step needs, and the grantee.
    pub(super) fn lack(&self, repository: &RepoName, refusal: &ApiError) -> Option<Lack> {
        if !refusal.is_lack_of_permission() {
            return None;
        }
        let alternatives = refusal.permissions();
        let needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = alternatives.and_then(|alternatives| needs.among_alternatives(repository, alternatives));
        let permissions = grant.map(|grant| format!("`{grant}`")).or(alternatives.map(grants));
        let source = self.credentials.source(repository);
        let is_about_account =
            refusal.is_lack_of_role() && source.as_ref().is_some_and(Source::is_of_account);
        let grantee = source.map_or(Grantee::Token, |source| source.grantee());
        Some(Lack {
            repository: repository.clone(),
            permissions: permissions.unwrap_or_else(|| "more permissions".to_owned()),
            grantee: if is_about_account { Grantee::Account } else { grantee },
        })
    }

    /// Another remedy if `token`, or the App in its place, is blank or lacks a permission in the ticket's
    /// `repository`.
    pub(super) fn alternative(&self, repository: &RepoName) -> Option<String> {
        let place = self.credentials.ticket_by_token(repository)?;
        if !place.is_here {
            let what = "if the step gives a `ticket-token` or a GitHub App, it is blank here: does the secret exist?";
            return Some(what.to_owned());
        }
        let needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        let grants: Vec<String> = needs
            .missing_grants(repository, &BTreeMap::new())
            .into_iter()
            .map(|grant| format!("`{grant}`"))
            .collect();
        let grants = if grants.is_empty() { "`issues: write`".to_owned() } else { grants.join(" and ") };
        Some(format!(
            "or, as the ticket is in this job's own repository, give the step `ticket-token: ${{{{ github.token }}}}` \
             and the job the permission {grants}"
        ))
    }

    /// Notes that GitHub has accepted the token for `repository`.
    pub(super) fn note_good(&self, repository: &RepoName, now: DateTime<Utc>) {
        if let Some(Source::Input(token)) = self.credentials.source(repository) {
            self.good_at.lock().unwrap_or_else(PoisonError::into_inner).insert(token.input, now);
        }
    }

    /// The remedy if GitHub refuses the token for `repository`, if that comes from an input.
    pub(super) fn renewal(&self, repository: &RepoName) -> Option<Advice> {
        let Some(Source::Input(token)) = self.credentials.source(repository) else { return None };
        let good_at = self.good_at.lock().unwrap_or_else(PoisonError::into_inner).get(token.input).copied();
        Some(Topic::Credentials.advice(token.renewal(good_at, self.credentials.app.is_some())))
    }

    /// Whether requests to `repository` use the input `token`.
    pub(super) fn is_plain_for(&self, repository: &RepoName) -> bool {
        self.credentials.app.is_none() && self.credentials.ticket_by_token(repository).is_some()
    }

    /// Drops a token that GitHub refuses. Returns whether another will be minted.
    pub(super) async fn forget(&self, token: &SecretString) -> bool {
        let mut minted_tokens = self.minted_tokens.lock().await;
        let is_refused = |secret: &SecretString| secret.expose_secret() == token.expose_secret();
        minted_tokens.by_owner.retain(|_, owner_token| !is_refused(&owner_token.token.secret));
        minted_tokens.service_token.take_if(|(secret, _)| is_refused(secret));
        minted_tokens.by_organization.retain(|_, (secret, _)| !is_refused(secret));
        self.live_tokens.has(token)
    }
}
