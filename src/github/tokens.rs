//! Which token goes with which repository.
//!
//! For the ticket's repository `ticket-token` comes first, then a token service; then, everywhere, the
//! GitHub App; then `token`. The service and the App are asked for tokens when they are first needed:
//! the App for one for each owner, limited to what the modes said they [need](Needs). What was minted
//! so is hidden from the log before its first use, replaced before it ends, and revoked with the step.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use super::app::{App, AppError, InstallationToken};
use super::client::{Api, Call};
use super::error::{GitHubError, Grantee};
use super::needs::Needs;
use super::sts::{StsError, TokenService};
use crate::names::RepoName;

/// A token that ends so soon is replaced before it is used; one that lasts no longer than twice that,
/// after half its time.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// What a token service gives is a token of its own App, and does not say how long it lasts.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// Hides a secret from all that is printed afterwards.
pub type Mask = fn(&str);

/// What the step was given to ask GitHub with.
#[derive(Debug, Default)]
pub struct Credentials {
    /// For every repository that has no other.
    pub token: Option<SecretString>,
    /// For the ticket's repository.
    pub ticket: Option<TicketToken>,
    /// A GitHub App.
    pub app: Option<App>,
}

/// The token for the ticket's repository, where that has one of its own.
#[derive(Debug)]
pub enum TicketToken {
    /// It was given.
    Given(RepoName, SecretString),
    /// A token service gives it.
    Exchanged(Box<TokenService>),
}

impl TicketToken {
    fn repository(&self) -> &RepoName {
        match self {
            Self::Given(repository, _) => repository,
            Self::Exchanged(service) => service.repository(),
        }
    }
}

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

impl TokenError {
    /// What to do about it, in the imperative.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotGiven => Some("give the step a `token`, such as `${{ github.token }}`".to_owned()),
            Self::App(error) => error.help(),
            Self::Sts(error) => Some(error.help()),
        }
    }
}

/// Where the token of a repository comes from.
#[derive(Debug)]
enum Source<'a> {
    Given(&'a SecretString),
    Exchanged(&'a TokenService),
    App(&'a App),
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

/// What was minted so far.
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
    /// Tokens by `credentials`; whatever is minted is shown to `mask` first.
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
        match (self.source(one), self.source(other)) {
            (Some(Source::Given(one)), Some(Source::Given(other))) => {
                one.expose_secret() == other.expose_secret()
            }
            (Some(Source::Exchanged(one)), Some(Source::Exchanged(other))) => std::ptr::eq(one, other),
            // It acts under one name wherever it is installed.
            (Some(Source::App(_)), Some(Source::App(_))) => true,
            _ => false,
        }
    }

    fn source(&self, repository: &RepoName) -> Option<Source<'_>> {
        let Credentials { token, ticket, app } = &self.credentials;
        match ticket {
            Some(ticket) if ticket.repository() == repository => Some(match ticket {
                TicketToken::Given(_, token) => Source::Given(token),
                TicketToken::Exchanged(service) => Source::Exchanged(service),
            }),
            _ => app.as_ref().map(Source::App).or(token.as_ref().map(Source::Given)),
        }
    }

    /// The token for `repository`, minted if need be.
    pub(super) async fn for_repository(
        &self,
        api: &Api,
        repository: &RepoName,
    ) -> Result<SecretString, TokenError> {
        match self.source(repository) {
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
                && matches!(self.source(repository), Some(Source::App(_)))
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

    /// Completes a refusal: with what the step needs there in all, and with who would have to be
    /// granted it.
    pub(super) fn explain(&self, repository: &RepoName, mut error: GitHubError) -> GitHubError {
        if let GitHubError::Refused { lack: Some(lack), .. } = &mut error {
            let needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
            lack.needed = lack.accepted.as_deref().and_then(|accepted| needs.among(repository, accepted));
            lack.grantee = match self.source(repository) {
                Some(Source::App(app)) => Grantee::App(app.id.clone()),
                Some(Source::Exchanged(service)) => Grantee::Policy(service.policy_file()),
                Some(Source::Given(_)) | None => Grantee::Token,
            };
        }
        error
    }

    /// Lets go of a token that GitHub refuses; says whether there will be another.
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

    /// Revokes all that was minted, each with one request. What cannot be revoked ends by itself.
    pub(super) async fn revoke(&self, api: &Api) {
        let Minted { of_owners, exchanged, replaced } = std::mem::take(&mut *self.minted.lock().await);
        let in_use = of_owners.into_values().map(|known| known.token.secret);
        let secrets = in_use.chain(exchanged.map(|(token, _)| token)).chain(replaced);
        let revoked = secrets.map(|secret| async move {
            let call = Call::new(Method::DELETE, "/installation/token", None, &secret);
            if let Err(error) = api.exchange(&call).await {
                tracing::debug!("a token is not revoked, and ends by itself within the hour: {error}");
            }
        });
        futures::future::join_all(revoked).await;
    }
}

/// Whether `text` can be sent as a token.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A token in an answer. None of what is no token is quoted.
pub(super) fn printable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let token = String::deserialize(deserializer)?;
    if is_printable(&token) { Ok(token.into()) } else { Err(serde::de::Error::custom("no token")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_account_asks_where_the_same_token_or_the_same_app_is_used() {
        let [hub, web, site] =
            ["acme/hub", "acme/web", "globex/site"].map(|name| name.parse().expect("a name"));
        let tokens = |token: Option<&str>, ticket: Option<&str>, app: bool| {
            let secret = |text: &str| SecretString::from(text);
            let credentials = Credentials {
                token: token.map(secret),
                ticket: ticket.map(|text| TicketToken::Given(RepoName::clone(&hub), secret(text))),
                app: app.then(|| App { id: "Iv1".into(), key: None }),
            };
            Tokens::new(credentials, |_| ())
        };
        let same = |tokens: Tokens, one: &RepoName, other: &RepoName| tokens.are_the_same_for(one, other);
        assert!(same(tokens(Some("a"), None, false), &hub, &web));
        assert!(same(tokens(Some("a"), Some("a"), false), &hub, &web));
        assert!(!same(tokens(Some("a"), Some("b"), false), &hub, &web));
        assert!(same(tokens(Some("a"), None, true), &hub, &site));
        assert!(!same(tokens(Some("a"), Some("b"), true), &hub, &web));
        assert!(same(tokens(Some("a"), Some("b"), true), &web, &site));
        assert!(!same(tokens(None, None, false), &hub, &web));
    }
}
