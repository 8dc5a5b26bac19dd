//! The tokens of a step: which one goes with which repository, and how long it is good.
//!
//! For the ticket's repository `ticket-token` comes first, then a token service; then, everywhere, the
//! GitHub App; then `token`. The service and the App are asked for tokens when they are first needed:
//! the App for one for each owner, limited to what the modes said they [need](Needs), and for one that may read
//! the members of an organization and nothing else, where a team matters. A minted token is hidden from the log
//! before its first use, replaced before it ends, and revoked with the step.

pub mod app;
mod credentials;
mod identity;
pub mod jwt;
mod lack;
pub(super) mod secret;
pub mod sts;
mod unrevoked;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::api::{Api, ApiError, grants};
use super::needs::Needs;
use crate::names::RepoName;
use crate::problem::Help;
use app::{App, AppError, Area, InstallationToken, MembersToken};
use credentials::Source;
use sts::{StsError, TokenService};

pub use credentials::{Credentials, TicketPlace, TicketToken};
pub use identity::IdentityError;
pub use lack::{Grantee, Lack};
pub use secret::{GivenToken, Mask};
pub use unrevoked::Unrevoked;

/// A token that ends so soon is replaced before it is used; one that lasts no longer than twice that,
/// after half its time.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// A token service gives a token of its own App, and does not say how long it lasts.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The step has none for this repository. `token` has a default, so it was given, and came to nothing.
    #[error("`token` is blank: does the secret exist here?")]
    Blank,
    /// What the input holds cannot be sent as a token.
    #[error("`{0}` holds spaces, line breaks or other characters that no token has")]
    Garbled(&'static str),
    /// The App gives none.
    #[error(transparent)]
    App(#[from] AppError),
    /// The token service gives none.
    #[error(transparent)]
    Sts(#[from] StsError),
}

impl Help for TokenError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Blank => Some(
                "give the step a `token` that this run has; runs that forks and Dependabot start are given no secrets"
                    .to_owned(),
            ),
            Self::Garbled(_) => Some("put the token alone into the secret, as GitHub gave it".to_owned()),
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
    // Held while a token is minted, so that all who need it wait for the same one.
    in_use: tokio::sync::Mutex<InUse>,
    unrevoked: Unrevoked,
    /// When each given token was good last, by its input.
    good_at: Mutex<BTreeMap<&'static str, DateTime<Utc>>>,
}

/// The minted tokens that requests use.
#[derive(Debug, Default)]
struct InUse {
    /// By the owner of the repositories in lower case; or by a repository that was transferred to another one.
    of_owners: BTreeMap<String, Installed>,
    /// For the ticket's repository, and until when.
    exchanged: Option<(SecretString, Instant)>,
    /// To read the members of organizations, by the organization in lower case, and until when.
    of_members: BTreeMap<String, (SecretString, Instant)>,
}

impl InUse {
    /// Where the App's token for `repository` is, if it has been minted.
    fn key_of(&self, repository: &RepoName) -> String {
        let key = transferred(repository);
        if self.of_owners.contains_key(&key) { key } else { repository.owner().to_ascii_lowercase() }
    }
}

/// Until when a token is used that lasts so long.
fn fresh_until(lasts: TimeDelta) -> Instant {
    let lasts = lasts.to_std().unwrap_or_default();
    Instant::now() + lasts - FRESH.min(lasts / 2)
}

/// Where the token is for a repository that another owner has now.
fn transferred(repository: &RepoName) -> String {
    repository.to_string().to_ascii_lowercase()
}

/// The App's token for the repositories of one owner.
#[derive(Debug)]
struct Installed {
    token: InstallationToken,
    needs: Needs,
    fresh_until: Instant,
}

impl Tokens {
    /// Tokens by `credentials`; a minted token is given to `mask` first.
    #[must_use]
    pub fn new(credentials: Credentials, mask: Mask) -> Self {
        Self {
            credentials,
            mask,
            needs: Mutex::default(),
            in_use: tokio::sync::Mutex::default(),
            unrevoked: Unrevoked::default(),
            good_at: Mutex::default(),
        }
    }

    /// The tokens that are still to be revoked.
    #[must_use]
    pub fn unrevoked(&self) -> &Unrevoked {
        &self.unrevoked
    }

    /// Says what the step needs from now on, beside what it needed before.
    pub fn need(&self, needs: Needs) {
        self.needs.lock().unwrap_or_else(PoisonError::into_inner).extend(needs);
    }

    /// Whether requests to both repositories are made by the same account, as far as the step knows.
    #[must_use]
    pub fn are_the_same_for(&self, one: &RepoName, other: &RepoName) -> bool {
        self.credentials.are_the_same_for(one, other)
    }

    /// The token for `repository`, minted if need be.
    pub(super) async fn for_repository(
        &self,
        api: &Api,
        repository: &RepoName,
    ) -> Result<SecretString, TokenError> {
        match self.credentials.source(repository) {
            Some(Source::Given(token)) => token.secret.clone().ok_or(TokenError::Garbled(token.input)),
            Some(Source::Exchanged(service)) => Ok(self.of_service(service).await?),
            Some(Source::App(app)) => Ok(self.of_app(app, api, repository).await?),
            None => Err(TokenError::Blank),
        }
    }

    async fn of_service(&self, service: &TokenService) -> Result<SecretString, StsError> {
        let mut in_use = self.in_use.lock().await;
        if let Some((token, fresh_until)) = &in_use.exchanged
            && Instant::now() < *fresh_until
        {
            return Ok(token.clone());
        }
        let token = service.exchange(self.mask).await?;
        self.unrevoked.add(token.clone());
        in_use.exchanged = Some((token.clone(), Instant::now() + LASTS - FRESH));
        Ok(token)
    }

    /// The token with which the members of `organization` are read, minted if need be.
    pub(super) async fn for_members(
        &self,
        api: &Api,
        organization: &str,
    ) -> Result<SecretString, TokenError> {
        match self.credentials.source_of_members(organization) {
            Some(Source::Given(token)) => token.secret.clone().ok_or(TokenError::Garbled(token.input)),
            Some(Source::Exchanged(service)) => Ok(self.of_service(service).await?),
            Some(Source::App(app)) => Ok(self.of_app_for_members(app, api, organization).await?),
            None => Err(TokenError::Blank),
        }
    }

    async fn of_app_for_members(
        &self,
        app: &App,
        api: &Api,
        organization: &str,
    ) -> Result<SecretString, AppError> {
        let mut in_use = self.in_use.lock().await;
        let key = organization.to_ascii_lowercase();
        if let Some((token, fresh_until)) = in_use.of_members.get(&key)
            && Instant::now() < *fresh_until
        {
            return Ok(token.clone());
        }
        let MembersToken { secret, lasts } = app.mint_for_members(api, self.mask, organization).await?;
        self.unrevoked.add(secret.clone());
        in_use.of_members.insert(key, (secret.clone(), fresh_until(lasts)));
        Ok(secret)
    }

    /// What is asked for the members of `organization`; none if the step has no token.
    pub(super) fn grantee_for_members(&self, organization: &str) -> Option<Grantee> {
        self.credentials.source_of_members(organization).map(|source| source.grantee())
    }

    /// The name of the App that acts in `repository`, if it is one whose key this step has.
    pub(super) async fn app_of(
        &self,
        api: &Api,
        repository: &RepoName,
    ) -> Result<Option<String>, TokenError> {
        if !matches!(self.credentials.source(repository), Some(Source::App(_))) {
            return Ok(None);
        }
        self.for_repository(api, repository).await?;
        let in_use = self.in_use.lock().await;
        let installed = in_use.of_owners.get(&in_use.key_of(repository));
        Ok(installed.and_then(|installed| installed.token.app.clone()))
    }

    async fn of_app(&self, app: &App, api: &Api, repository: &RepoName) -> Result<SecretString, AppError> {
        let owner = repository.owner().to_ascii_lowercase();
        let are_the_apps = |repository: &RepoName| {
            repository.owner().eq_ignore_ascii_case(&owner)
                && matches!(self.credentials.source(repository), Some(Source::App(_)))
        };
        let mut needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner).of(are_the_apps);
        needs.see(repository);
        let mut in_use = self.in_use.lock().await;
        let mut key = in_use.key_of(repository);
        let known = in_use.of_owners.get(&key);
        if !known.is_some_and(|known| known.needs.cover(&needs) && Instant::now() < known.fresh_until) {
            if let Some(known) = known {
                needs.extend(known.needs.clone());
            }
            let token = app.mint(api, self.mask, repository, &needs).await?;
            self.unrevoked.add(token.secret.clone());
            let fresh_until = fresh_until(token.lasts);
            key = if token.is_elsewhere { transferred(repository) } else { owner };
            in_use.of_owners.insert(key.clone(), Installed { token, needs, fresh_until });
        }
        let Installed { token, needs, .. } = &in_use.of_owners[&key];
        let (app, settings) = (app.id.clone(), token.settings.clone());
        if !token.repositories.contains(repository) {
            return Err(AppError::NotSelected { app, repository: repository.clone(), settings });
        }
        let missing = needs.missing(repository, &token.granted);
        if !missing.is_empty() {
            let area = Area::Repository(repository.clone());
            return Err(AppError::NotGranted { app, area, missing, settings });
        }
        Ok(token.secret.clone())
    }

    /// What the token for `repository` lacks, if GitHub refused for that: the permission in all that the
    /// step needs of it there, and what would have to be granted it.
    pub(super) fn lack(&self, repository: &RepoName, refusal: &ApiError) -> Option<Lack> {
        if !refusal.is_lack_of_permission() {
            return None;
        }
        let accepted = refusal.accepted();
        let needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = accepted.and_then(|accepted| needs.among(repository, accepted));
        let permissions = needed.map(|grant| format!("`{grant}`")).or(accepted.map(grants));
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

    /// What else could be done where `token`, or the App in its place, is blank or may not do what the step needs
    /// in the ticket's `repository`.
    pub(super) fn instead(&self, repository: &RepoName) -> Option<String> {
        let place = self.credentials.ticket_by_token(repository)?;
        if !place.is_here {
            let what = "if the step gives a `ticket-token` or a GitHub App, it is blank here: does the secret exist?";
            return Some(what.to_owned());
        }
        let needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        let needed: Vec<String> = needs
            .missing(repository, &BTreeMap::new())
            .into_iter()
            .map(|grant| format!("`{grant}`"))
            .collect();
        let needed = if needed.is_empty() { "`issues: write`".to_owned() } else { needed.join(" and ") };
        Some(format!(
            "or, as the ticket is in this job's own repository, give the step `ticket-token: ${{{{ github.token }}}}` \
             and the job the permission {needed}"
        ))
    }

    /// Notes that GitHub has taken the token for `repository`.
    pub(super) fn note_good(&self, repository: &RepoName, now: DateTime<Utc>) {
        if let Some(Source::Given(token)) = self.credentials.source(repository) {
            self.good_at.lock().unwrap_or_else(PoisonError::into_inner).insert(token.input, now);
        }
    }

    /// What to do where GitHub does not take the token for `repository`, if the step was given it.
    pub(super) fn renewal(&self, repository: &RepoName) -> Option<String> {
        let Some(Source::Given(token)) = self.credentials.source(repository) else { return None };
        let good_at = self.good_at.lock().unwrap_or_else(PoisonError::into_inner).get(token.input).copied();
        Some(token.renewal(good_at, self.credentials.app.is_some()))
    }

    /// Whether `token` asks in `repository`, and no other credential.
    pub(super) fn is_plain_for(&self, repository: &RepoName) -> bool {
        self.credentials.app.is_none() && self.credentials.ticket_by_token(repository).is_some()
    }

    /// Drops a token that GitHub refuses; says whether there will be another.
    pub(super) async fn forget(&self, refused: &SecretString) -> bool {
        let mut in_use = self.in_use.lock().await;
        let is_refused = |secret: &SecretString| secret.expose_secret() == refused.expose_secret();
        in_use.of_owners.retain(|_, known| !is_refused(&known.token.secret));
        in_use.exchanged.take_if(|(known, _)| is_refused(known));
        in_use.of_members.retain(|_, (known, _)| !is_refused(known));
        self.unrevoked.has(refused)
    }
}
