//! A GitHub App: it signs in with its key, finds its installation on an owner, and mints a token
//! there that is limited to what the step needs.
//! <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::jwt::{KeyError, SigningKey};
use super::secret::{Mask, mask_signed, printable};
use crate::github::api::{Answer, Api, ApiError, Call, RequestLine};
use crate::github::moved::id_in;
use crate::github::needs::{Grant, Level, Needs, Permission};
use crate::github::time::time;
use crate::names::RepoName;
use crate::problem::{Help, Problem};

/// GitHub allows for clocks that differ if the signature is dated back, and refuses one that lasts
/// more than ten minutes:
/// <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
const DATED_BACK: TimeDelta = TimeDelta::seconds(60);
const SIGNED_FOR: TimeDelta = TimeDelta::minutes(9);

const CORRECT_CLOCK: &str = "set the clock of the runner, and keep it right with NTP";

/// Where a token does not say when it ends.
const HOUR: TimeDelta = TimeDelta::hours(1);

/// A GitHub App that the step may act as.
#[derive(Debug, Clone)]
pub struct App {
    /// Its client id, or its number.
    pub id: String,
    /// Its private key, or why there is none.
    pub key: Result<SigningKey, NoKey>,
}

/// Why the step has no key of the App.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKey {
    /// It was not given one.
    Blank,
    /// What it was given does not sign.
    Unusable(KeyError),
}

/// What an App acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Area {
    /// A repository.
    Repository(RepoName),
    /// An organization, by its login.
    Organization(String),
}

impl Area {
    /// On whom the App is installed.
    #[must_use]
    pub fn owner(&self) -> &str {
        match self {
            Self::Repository(repository) => repository.owner(),
            Self::Organization(organization) => organization,
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(repository) => repository.fmt(f),
            Self::Organization(organization) => f.write_str(organization),
        }
    }
}

/// Why an App gives no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppError {
    /// The secret is blank.
    #[error("`private-key` of the GitHub App {app} is blank: does the secret exist here?")]
    NoKey {
        /// The App.
        app: String,
    },
    /// The secret holds something else.
    #[error("`private-key` of the GitHub App {app} is {what}")]
    UnusableKey {
        /// The App.
        app: String,
        /// What it holds.
        what: KeyError,
    },
    /// The key does not sign.
    #[error("the key of the GitHub App {app} cannot sign")]
    Signing {
        /// The App.
        app: String,
        /// Why.
        #[source]
        source: jsonwebtoken::errors::Error,
    },
    /// Another App's key, one that was deleted, or no such App.
    #[error("GitHub does not accept the signature of the GitHub App {app}: {message}")]
    Signature {
        /// The App.
        app: String,
        /// GitHub's message.
        message: String,
    },
    /// The signature is not valid yet, or not any more.
    #[error("GitHub does not accept the time in the signature of the GitHub App {app}: {message}; {}", clocks_differ(*.ahead))]
    Clock {
        /// The App.
        app: String,
        /// GitHub's message.
        message: String,
        /// How far this machine's clock is ahead of GitHub's.
        ahead: Option<TimeDelta>,
    },
    /// It is not installed on the owner.
    #[error("the GitHub App {app} is not installed on {}", .area.owner())]
    NotInstalled {
        /// The App.
        app: String,
        /// What it is to act for.
        area: Area,
    },
    /// It is installed, and not for this repository; or there is no such repository.
    #[error("the GitHub App {app} is installed on {}, and not for {repository}", .repository.owner())]
    NotSelected {
        /// The App.
        app: String,
        /// The repository that it is to act for.
        repository: RepoName,
        /// The installation in the browser.
        settings: String,
    },
    /// The owner does not let it act at present.
    #[error("the GitHub App {app} is suspended on {}", .area.owner())]
    Suspended {
        /// The App.
        app: String,
        /// What it is to act for.
        area: Area,
        /// The installation in the browser.
        settings: String,
    },
    /// It lacks a permission that the step cannot do without.
    #[error("the GitHub App {app} is not granted {} on {area}", listed(.missing))]
    NotGranted {
        /// The App.
        app: String,
        /// What it is to act for.
        area: Area,
        /// What it lacks there.
        missing: Vec<Grant>,
        /// The installation in the browser.
        settings: String,
    },
    /// GitHub refused or did not answer.
    #[error("the GitHub App {app} gets no token")]
    Asked {
        /// The App.
        app: String,
        /// Why.
        #[source]
        source: Box<ApiError>,
    },
}

/// How far this machine's clock is off, for people.
fn clocks_differ(ahead: Option<TimeDelta>) -> String {
    let Some(ahead) = ahead else { return "GitHub does not say what time it is".to_owned() };
    let by = humantime::format_duration(Duration::from_secs(ahead.num_seconds().unsigned_abs()));
    let direction = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    format!("this runner's clock is {by} {direction} GitHub's")
}

fn listed(grants: &[Grant]) -> String {
    grants.iter().map(|grant| format!("`{grant}`")).collect::<Vec<_>>().join(" and ")
}

impl Help for AppError {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoKey { .. } => {
                "put the App's private key into a secret and give it as `private-key`; runs that forks and \
                 Dependabot start are given no secrets"
                    .to_owned()
            }
            Self::UnusableKey { what, .. } => return what.help(),
            Self::Signing { .. } => "generate another private key in the App's settings".to_owned(),
            Self::Signature { .. } => {
                "check that `client-id` is the App's client id, and that `private-key` is one of the \
                 private keys in the App's settings"
                    .to_owned()
            }
            Self::Clock { .. } => CORRECT_CLOCK.to_owned(),
            Self::NotInstalled { area: Area::Repository(repository), .. } => {
                let owner = repository.owner();
                format!("install the App on {owner} for {repository}, or give another token for it")
            }
            Self::NotInstalled { area: Area::Organization(organization), .. } => {
                format!("check the name, and install the App on {organization}")
            }
            Self::NotSelected { repository, settings, .. } => format!(
                "check the name, and add {repository} to the repositories of the installation: {settings}"
            ),
            Self::Suspended { settings, .. } => format!("unsuspend the installation: {settings}"),
            Self::NotGranted { area, missing, settings, .. } => format!(
                "add {} to the permissions in the App's settings, and accept them for {}: {settings}",
                listed(missing),
                area.owner()
            ),
            Self::Asked { source, .. } => return source.help(),
        })
    }
}

/// A token that may read the members of an organization, and nothing else.
#[derive(Debug)]
pub(super) struct MembersToken {
    pub(super) secret: SecretString,
    /// How long it lasts from now.
    pub(super) lasts: TimeDelta,
}

/// A token of an installation.
#[derive(Debug)]
pub(super) struct InstallationToken {
    pub(super) secret: SecretString,
    /// What it may do.
    pub(super) granted: BTreeMap<Permission, Level>,
    /// Where it may do it.
    pub(super) repositories: BTreeSet<RepoName>,
    /// How long it lasts from now.
    pub(super) lasts: TimeDelta,
    /// The installation in the browser.
    pub(super) settings: String,
    /// Whether the installation is not that of the owner by whose name it was asked for.
    pub(super) is_elsewhere: bool,
    /// The App's name, as it stands in the name of its account.
    pub(super) app: Option<String>,
}

/// An installation as it is described.
#[derive(Deserialize)]
struct Installation {
    id: u64,
    html_url: String,
    #[serde(default)]
    app_slug: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    suspended_at: Option<DateTime<Utc>>,
}

/// The installation that covers a repository.
struct Found {
    installation: Installation,
    /// The id of the repository, where it has another name now.
    id: Option<u64>,
    /// Whether it was transferred to another owner, on whom the App is installed too.
    is_elsewhere: bool,
}

impl Installation {
    /// How far it may do something.
    fn level_of(&self, permission: Permission) -> Option<Level> {
        Level::parse(self.permissions.get(permission.as_str())?)
    }

    /// As much of `needs` as it may do.
    fn grants(&self, needs: &Needs) -> BTreeMap<Permission, Level> {
        granted(&self.permissions, needs)
    }
}

fn granted(permissions: &BTreeMap<String, String>, needs: &Needs) -> BTreeMap<Permission, Level> {
    let of = |permission: Permission| Level::parse(permissions.get(permission.as_str())?);
    let needed = needs.permissions().into_iter();
    needed.filter_map(|(permission, level)| Some((permission, level.min(of(permission)?)))).collect()
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

/// The App after it signed in.
struct SignedIn<'a> {
    app: &'a App,
    api: &'a Api,
    mask: Mask,
    jwt: SecretString,
}

impl App {
    /// Mints a token for the repositories of `needs`, which are all of one owner, and for
    /// `repository`, which is one of them.
    ///
    /// May be repeated: it is another token then.
    ///
    /// # Errors
    ///
    /// When it may not act for `repository`, or GitHub does not answer. Other repositories for which
    /// it may not act are left out.
    pub(super) async fn mint(
        &self,
        api: &Api,
        mask: Mask,
        repository: &RepoName,
        needs: &Needs,
    ) -> Result<InstallationToken, AppError> {
        let find = async |app: &SignedIn<'_>| app.installation(repository).await;
        let (app, found) = self.signed_in(api, mask, find).await?;
        let Found { installation, id, is_elsewhere } = found;
        self.check_at_work(&installation, || Area::Repository(repository.clone()))?;
        let permissions = installation.grants(needs);
        let is_asked_for = |name: &&RepoName| !is_elsewhere || *name == repository;
        let mut repositories: BTreeSet<RepoName> =
            needs.repositories().filter(is_asked_for).cloned().collect();
        let names = Limit::Names(repositories.iter().map(|name| name.name().to_owned()).collect());
        let minted = match app.access_token(installation.id, &names, &permissions).await {
            // One of them is not selected or has another name, and GitHub does not say which.
            Err(AppError::Asked { source, .. })
                if source.status() == Some(StatusCode::UNPROCESSABLE_ENTITY)
                    && (repositories.len() > 1 || id.is_some()) =>
            {
                let selected = app.selected(repositories, repository, (installation.id, id)).await?;
                let names = Limit::Names(app.names(installation.id, &selected).await?);
                repositories = selected.into_keys().collect();
                app.access_token(installation.id, &names, &permissions).await?
            }
            answer => answer?,
        };
        Ok(InstallationToken {
            secret: minted.token,
            granted: minted.permissions.map_or(permissions, |permissions| granted(&permissions, needs)),
            repositories,
            lasts: minted.lasts,
            settings: installation.html_url,
            is_elsewhere,
            app: installation.app_slug,
        })
    }

    /// Mints a token that may read the members of `organization`, and nothing else. It is not limited to some
    /// repositories: a team belongs to none.
    ///
    /// May be repeated: it is another token then.
    ///
    /// # Errors
    ///
    /// When it may not read them, or GitHub does not answer.
    pub(super) async fn mint_for_members(
        &self,
        api: &Api,
        mask: Mask,
        organization: &str,
    ) -> Result<MembersToken, AppError> {
        let area = || Area::Organization(organization.to_owned());
        let find = async |app: &SignedIn<'_>| app.found_on(organization).await;
        let (app, found) = self.signed_in(api, mask, find).await?;
        let Some((installation, _)) = found else {
            return Err(AppError::NotInstalled { app: self.id.clone(), area: area() });
        };
        self.check_at_work(&installation, area)?;
        let read = Grant { permission: Permission::Members, level: Level::Read };
        if installation.level_of(read.permission) < Some(read.level) {
            let (app, settings) = (self.id.clone(), installation.html_url);
            return Err(AppError::NotGranted { app, area: area(), missing: vec![read], settings });
        }
        let permissions = BTreeMap::from([(read.permission, read.level)]);
        let minted = app.access_token(installation.id, &Limit::None, &permissions).await?;
        Ok(MembersToken { secret: minted.token, lasts: minted.lasts })
    }

    /// Signs in and asks `find` of GitHub, once more by GitHub's own clock if this machine's is wrong.
    async fn signed_in<'a, T>(
        &'a self,
        api: &'a Api,
        mask: Mask,
        find: impl AsyncFn(&SignedIn<'a>) -> Result<T, AppError>,
    ) -> Result<(SignedIn<'a>, T), AppError> {
        let app = self.sign_in(api, mask, TimeDelta::zero())?;
        match find(&app).await {
            Err(AppError::Clock { ahead: Some(ahead), .. }) => {
                let what = format!(
                    "{}: the GitHub App {} signs in with GitHub's time",
                    clocks_differ(Some(ahead)),
                    self.id
                );
                tracing::warn!("{}", Problem::new(what).help(CORRECT_CLOCK));
                let app = self.sign_in(api, mask, ahead)?;
                let found = find(&app).await?;
                Ok((app, found))
            }
            answer => Ok((app, answer?)),
        }
    }

    /// Checks that the owner lets it act.
    fn check_at_work(
        &self,
        installation: &Installation,
        area: impl FnOnce() -> Area,
    ) -> Result<(), AppError> {
        if installation.suspended_at.is_none() {
            return Ok(());
        }
        let (app, settings) = (self.id.clone(), installation.html_url.clone());
        Err(AppError::Suspended { app, area: area(), settings })
    }

    /// Signs in from a machine whose clock is so far ahead of GitHub's.
    fn sign_in<'a>(&'a self, api: &'a Api, mask: Mask, ahead: TimeDelta) -> Result<SignedIn<'a>, AppError> {
        let app = || self.id.clone();
        let key = self.key.as_ref().map_err(|no_key| match no_key {
            NoKey::Blank => AppError::NoKey { app: app() },
            NoKey::Unusable(what) => AppError::UnusableKey { app: app(), what: *what },
        })?;
        let now = api.clock().now() - ahead;
        let claims = Claims {
            iat: (now - DATED_BACK).timestamp(),
            exp: (now + SIGNED_FOR).timestamp(),
            iss: &self.id,
        };
        let jwt = key.sign(&claims);
        let jwt = jwt.map_err(|source| AppError::Signing { app: app(), source })?;
        mask_signed(mask, &jwt);
        Ok(SignedIn { app: self, api, mask, jwt: jwt.into() })
    }
}

impl SignedIn<'_> {
    async fn ask(&self, line: RequestLine, body: Option<&Value>) -> Result<Answer, AppError> {
        self.api.send(&Call::new(line, body, &self.jwt)).await.map_err(|error| self.explain(error))
    }

    /// Tells a bad signature from other refusals.
    fn explain(&self, error: ApiError) -> AppError {
        let app = self.app.id.clone();
        match &error {
            ApiError::Refused { status: StatusCode::UNAUTHORIZED, message, date, .. } => {
                let message = message.clone();
                // "'Expiration time' claim ('exp') is too far in the future", and the like.
                if message.contains("('exp')") || message.contains("('iat')") {
                    let ahead = date.map(|date| self.api.clock().now() - date);
                    AppError::Clock { app, message, ahead }
                } else {
                    AppError::Signature { app, message }
                }
            }
            ApiError::Refused { status: StatusCode::NOT_FOUND, message, .. }
                if message.contains("Integration") =>
            {
                AppError::Signature { app, message: message.clone() }
            }
            _ => AppError::Asked { app, source: Box::new(error) },
        }
    }

    /// The installation that covers `repository`.
    async fn installation(&self, repository: &RepoName) -> Result<Found, AppError> {
        let found = self.found(format!("/repos/{repository}/installation")).await?;
        if let Some((installation, id @ None)) = found {
            return Ok(Found { installation, id, is_elsewhere: false });
        }
        let app = self.app.id.clone();
        let of_owner = self.found_on(repository.owner()).await?;
        if let Some((installation, id)) = found {
            // An owner who was renamed has the same one.
            let is_elsewhere = of_owner.is_some_and(|(of_owner, _)| of_owner.id != installation.id);
            return Ok(Found { installation, id, is_elsewhere });
        }
        Err(match of_owner {
            Some((Installation { html_url: settings, .. }, _)) => {
                AppError::NotSelected { app, repository: repository.clone(), settings }
            }
            None => AppError::NotInstalled { app, area: Area::Repository(repository.clone()) },
        })
    }

    /// The installation on an account or an organization.
    async fn found_on(&self, owner: &str) -> Result<Option<(Installation, Option<u64>)>, AppError> {
        // It answers for organizations too.
        self.found(format!("/users/{owner}/installation")).await
    }

    async fn found(&self, path: String) -> Result<Option<(Installation, Option<u64>)>, AppError> {
        let line = RequestLine::new(Method::GET, path, "show the App's installation");
        match self.ask(line, None).await {
            Ok(answer) => {
                let installation = answer.json().map_err(|error| self.explain(error))?;
                Ok(Some((installation, answer.redirected.as_deref().and_then(id_in))))
            }
            Err(AppError::Asked { source, .. }) if source.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Those of `repositories` that the same installation of the App is for, with the ids of those that have another
    /// name now; `repository` is known to be one. One that was transferred to another owner has another installation.
    async fn selected(
        &self,
        repositories: BTreeSet<RepoName>,
        repository: &RepoName,
        (installation, id): (u64, Option<u64>),
    ) -> Result<BTreeMap<RepoName, Option<u64>>, AppError> {
        let mut selected = BTreeMap::new();
        for name in repositories {
            if name == *repository {
                selected.insert(name, id);
            } else if let Some((found, id)) = self.found(format!("/repos/{name}/installation")).await?
                && found.id == installation
            {
                selected.insert(name, id);
            }
        }
        Ok(selected)
    }

    /// The names that the repositories have now. GitHub gives tokens by names or by ids, and names those of a token:
    /// one that can do nothing else is asked for, and revoked.
    async fn names(
        &self,
        installation: u64,
        selected: &BTreeMap<RepoName, Option<u64>>,
    ) -> Result<Vec<String>, AppError> {
        let ids: Vec<u64> = selected.values().copied().flatten().collect();
        let mut new_names = BTreeMap::new();
        if !ids.is_empty() {
            let minted = self.access_token(installation, &Limit::Ids(ids), &BTreeMap::new()).await?;
            let line = RequestLine::new(Method::DELETE, "/installation/token", "revoke a token");
            if let Err(error) = self.api.send_once(&Call::new(line, None, &minted.token)).await {
                tracing::debug!("a token is not revoked, and ends by itself within the hour: {error}");
            }
            new_names.extend(
                minted.repositories.into_iter().map(|repository| (repository.id, repository.full_name)),
            );
        }
        let names = selected.iter().map(|(old, id)| match id.and_then(|id| new_names.get(&id)) {
            Some(new) => {
                self.api.moves().say(&old.to_string(), &new.to_string());
                new.name().to_owned()
            }
            None => old.name().to_owned(),
        });
        Ok(names.collect())
    }

    async fn access_token(
        &self,
        installation: u64,
        repositories: &Limit,
        permissions: &BTreeMap<Permission, Level>,
    ) -> Result<Minted, AppError> {
        // With no permission named it would be all that the App has.
        let mut limits = Map::from_iter([("metadata".to_owned(), json!("read"))]);
        limits.extend(
            permissions.iter().map(|(name, level)| (name.as_str().to_owned(), json!(level.as_str()))),
        );
        let body = match repositories {
            Limit::Names(names) => json!({ "repositories": names, "permissions": limits }),
            Limit::Ids(ids) => json!({ "repository_ids": ids, "permissions": limits }),
            Limit::None => json!({ "permissions": limits }),
        };
        let path = format!("/app/installations/{installation}/access_tokens");
        let line = RequestLine::new(Method::POST, path, "give the App a token");
        let answer = self.ask(line, Some(&body)).await?;
        // The reason is dropped: it could quote the token.
        let minted: Result<Minted, ApiError> = answer.json();
        let minted = minted.map_err(|_| answer.unexpected("no token that can be used"));
        let minted = minted.map_err(|error| self.explain(error))?;
        (self.mask)(minted.token.expose_secret());
        let now = answer.date().unwrap_or_else(|| self.api.clock().now());
        Ok(Minted { lasts: (minted.expires_at - now).min(HOUR), ..minted })
    }
}

/// The repositories of a token: by their names without their owner, or by their ids.
enum Limit {
    Names(Vec<String>),
    Ids(Vec<u64>),
    /// All that are selected.
    None,
}

/// A repository of a token.
#[derive(Deserialize)]
struct Repository {
    id: u64,
    full_name: RepoName,
}

/// A token as it is handed out.
#[derive(Deserialize)]
struct Minted {
    #[serde(deserialize_with = "printable")]
    token: SecretString,
    #[serde(deserialize_with = "time")]
    expires_at: DateTime<Utc>,
    #[serde(default)]
    permissions: Option<BTreeMap<String, String>>,
    #[serde(default)]
    repositories: Vec<Repository>,
    /// By GitHub's clock, whatever this machine's says.
    #[serde(skip)]
    lasts: TimeDelta,
}
