//! The tokens of a step: which one goes with which repository, and how long it is good.
//!
//! For the ticket's repository `ticket-token` comes first, then a token service; then, everywhere, the
//! GitHub App; then `token`. The service and the App are asked for tokens when they are first needed:
//! the App for one for each owner, limited to what the modes said they [need](Needs). A minted token is
//! hidden from the log before its first use, replaced before it ends, and revoked with the step.

pub mod app;
mod credentials;
mod identity;
pub mod jwt;
mod lack;
mod secret;
pub mod sts;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::api::{Api, ApiError, Call, grants};
use super::needs::Needs;
use crate::names::RepoName;
use crate::problem::Help;
use app::{App, AppError, InstallationToken};
use credentials::Source;
use sts::{StsError, TokenService};

pub use credentials::{Credentials, TicketToken};
pub use identity::IdentityError;
pub use lack::{Grantee, Lack};
pub use secret::Mask;
pub(crate) use secret::is_printable;

/// A token that ends so soon is replaced before it is used; one that lasts no longer than twice that,
/// after half its time.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// A token service gives a token of its own App, and does not say how long it lasts.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The step has none for this repository.
    #[error("no token was given")]
    NotGiven,
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
            Self::NotGiven => Some("give the step a `token`, such as `${{ github.token }}`".to_owned()),
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
    minted: tokio::sync::Mutex<Minted>,
}

/// The tokens that were minted so far.
#[derive(Debug, Default)]
struct Minted {
    /// In use, by the owner of the repositories in lower case.
    of_owners: BTreeMap<String, Installed>,
    /// In use for the ticket's repository, and until when.
    exchanged: Option<(SecretString, Instant)>,
    /// Replaced, and still to be revoked.
    replaced: Vec<SecretString>,
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
        Self { credentials, mask, needs: Mutex::default(), minted: tokio::sync::Mutex::default() }
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
            Some(Source::Given(token)) => Ok(token.clone()),
            Some(Source::Exchanged(service)) => Ok(self.of_service(service).await?),
            Some(Source::App(app)) => Ok(self.of_app(app, api, repository).await?),
            None => Err(TokenError::NotGiven),
        }
    }

    async fn of_service(&self, service: &TokenService) -> Result<SecretString, StsError> {
        let mut minted = self.minted.lock().await;
        if let Some((token, fresh_until)) = &minted.exchanged
            && Instant::now() < *fresh_until
        {
            return Ok(token.clone());
        }
        let token = service.exchange(self.mask).await?;
        let before = minted.exchanged.replace((token.clone(), Instant::now() + LASTS - FRESH));
        minted.replaced.extend(before.map(|(before, _)| before));
        Ok(token)
    }

    async fn of_app(&self, app: &App, api: &Api, repository: &RepoName) -> Result<SecretString, AppError> {
        let owner = repository.owner().to_ascii_lowercase();
        let are_the_apps = |repository: &RepoName| {
            repository.owner().eq_ignore_ascii_case(&owner)
                && matches!(self.credentials.source(repository), Some(Source::App(_)))
        };
        let mut needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner).of(are_the_apps);
        needs.see(repository);
        let mut minted = self.minted.lock().await;
        let known = minted.of_owners.get(&owner);
        if !known.is_some_and(|known| known.needs.cover(&needs) && Instant::now() < known.fresh_until) {
            if let Some(known) = known {
                needs.extend(known.needs.clone());
            }
            let token = app.mint(api, self.mask, repository, &needs).await?;
            let lasts = token.lasts.to_std().unwrap_or_default();
            let fresh_until = Instant::now() + lasts - FRESH.min(lasts / 2);
            let before = minted.of_owners.insert(owner.clone(), Installed { token, needs, fresh_until });
            minted.replaced.extend(before.map(|before| before.token.secret));
        }
        let Installed { token, needs, .. } = &minted.of_owners[&owner];
        let (app, settings) = (app.id.clone(), token.settings.clone());
        if !token.repositories.contains(repository) {
            return Err(AppError::NotSelected { app, repository: repository.clone(), settings });
        }
        let missing = needs.missing(repository, &token.granted);
        if !missing.is_empty() {
            return Err(AppError::NotGranted { app, repository: repository.clone(), missing, settings });
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
        Some(Lack {
            repository: repository.clone(),
            permissions: permissions.unwrap_or_else(|| "more permissions".to_owned()),
            grantee: source.map_or(Grantee::Token, |source| source.grantee()),
        })
    }

    /// Drops a token that GitHub refuses; says whether there will be another.
    pub(super) async fn forget(&self, refused: &SecretString) -> bool {
        let mut minted = self.minted.lock().await;
        let is_refused = |secret: &SecretString| secret.expose_secret() == refused.expose_secret();
        let owner = minted.of_owners.iter().find(|(_, known)| is_refused(&known.token.secret));
        if let Some(owner) = owner.map(|(owner, _)| owner.clone()) {
            let gone = minted.of_owners.remove(&owner);
            minted.replaced.extend(gone.map(|gone| gone.token.secret));
        }
        if let Some((gone, _)) = minted.exchanged.take_if(|(known, _)| is_refused(known)) {
            minted.replaced.push(gone);
        }
        // Perhaps it was replaced meanwhile.
        minted.replaced.iter().any(is_refused)
    }

    /// Revokes every minted token, each with one request. A token that cannot be revoked ends by itself.
    pub(super) async fn revoke(&self, api: &Api) {
        let Minted { of_owners, exchanged, replaced } = std::mem::take(&mut *self.minted.lock().await);
        let in_use = of_owners.into_values().map(|known| known.token.secret);
        let secrets = in_use.chain(exchanged.map(|(token, _)| token)).chain(replaced);
        let revoked = secrets.map(|secret| async move {
            let call = Call::new(Method::DELETE, "/installation/token", None, &secret);
            if let Err(error) = api.send_once(&call).await {
                tracing::debug!("a token is not revoked, and ends by itself within the hour: {error}");
            }
        });
        futures::future::join_all(revoked).await;
    }
}
