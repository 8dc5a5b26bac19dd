//! A GitHub App: it signs in with its key, finds its installation on an owner, and mints a token
//! there that is limited to the needs of the step.
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
use super::secret::{Mask, deserialize_token, mask_signed};
use crate::github::api::{Answer, Api, ApiError, Call, RequestLine};
use crate::github::moves::id_in;
use crate::github::needs::{Grant, Level, Needs, Permission};
use crate::github::time::time;
use crate::names::RepoName;
use crate::problem::{Advice, Help, Problem, Topic};

/// A signature that is dated back allows for clocks that differ. GitHub refuses a signature that lasts
/// more than ten minutes:
/// <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
const BACKDATE: TimeDelta = TimeDelta::seconds(60);
const SIGNATURE_LIFETIME: TimeDelta = TimeDelta::minutes(9);

const CORRECT_CLOCK: &str = "set the runner's clock, and keep it synchronized with NTP";

/// The longest lifetime of a token, for answers with a later end.
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
    /// The input is blank.
    Blank,
    /// The input holds something that does not sign.
    Unusable(KeyError),
}

/// The place where an App acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Area {
    /// A repository.
    Repository(RepoName),
    /// An organization, by its login.
    Organization(String),
}

impl Area {
    /// The account on which the App is installed.
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
    #[error("`private-key` of the GitHub App {app} is {problem}")]
    UnusableKey {
        /// The App.
        app: String,
        /// The kind of the other content.
        problem: KeyError,
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
    /// The key belongs to another App or was deleted, or the App does not exist.
    #[error("GitHub does not accept the signature of the GitHub App {app}: {message}")]
    Signature {
        /// The App.
        app: String,
        /// GitHub's message.
        message: String,
    },
    /// The signature is not valid yet, or no longer valid.
    #[error("GitHub does not accept the time in the signature of the GitHub App {app}: {message}; {}", clock_difference(*.ahead))]
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
        /// The place where it has to act.
        area: Area,
    },
    /// It is installed, but not for this repository; or the repository does not exist.
    #[error("the GitHub App {app} is installed on {}, but not for {repository}", .repository.owner())]
    NotSelected {
        /// The App.
        app: String,
        /// The repository where it has to act.
        repository: RepoName,
        /// The installation in the browser.
        settings: String,
    },
    /// The owner has suspended it.
    #[error("the GitHub App {app} is suspended on {}", .area.owner())]
    Suspended {
        /// The App.
        app: String,
        /// The place where it has to act.
        area: Area,
        /// The installation in the browser.
        settings: String,
    },
    /// It lacks a permission that the step cannot do without.
    #[error("the GitHub App {app} is not granted {} on {area}", grant_list(.missing_grants))]
    NotGranted {
        /// The App.
        app: String,
        /// The place where it has to act.
        area: Area,
        /// The grants that it lacks there.
        missing_grants: Vec<Grant>,
        /// The installation in the browser.
        settings: String,
    },
    /// GitHub refused or did not answer.
    #[error("the GitHub App {app} gets no token")]
    Api {
        /// The App.
        app: String,
        /// Why.
        #[source]
        source: Box<ApiError>,
    },
}

/// The difference between this machine's clock and GitHub's, for people.
fn clock_difference(ahead: Option<TimeDelta>) -> String {
    let Some(ahead) = ahead else { return "GitHub does not report its time".to_owned() };
    let by = humantime::format_duration(Duration::from_secs(ahead.num_seconds().unsigned_abs()));
    let direction = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    format!("this runner's clock is {by} {direction} GitHub's")
}

fn grant_list(grants: &[Grant]) -> String {
    grants.iter().map(|grant| format!("`{grant}`")).collect::<Vec<_>>().join(" and ")
}

impl Help for AppError {
    fn help(&self) -> Option<Advice> {
        let text = match self {
            Self::NoKey { .. } => {
                "put the App's private key into a secret and give it as `private-key`; runs that forks and \
                 Dependabot start get no secrets"
                    .to_owned()
            }
            Self::UnusableKey { problem, .. } => return problem.help(),
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
            Self::NotGranted { area, missing_grants, settings, .. } => format!(
                "add {} to the permissions in the App's settings, and accept them for {}: {settings}",
                grant_list(missing_grants),
                area.owner()
            ),
            Self::Api { source, .. } => return source.help(),
        };
        Some(self.topic().advice(text))
    }
}

impl AppError {
    fn topic(&self) -> Topic {
        match self {
            Self::NoKey { .. } => Topic::BlankSecret,
            Self::UnusableKey { .. } | Self::Signing { .. } => Topic::PrivateKey,
            Self::NotGranted { .. } => Topic::Permission,
            Self::Signature { .. }
            | Self::Clock { .. }
            | Self::NotInstalled { .. }
            | Self::NotSelected { .. }
            | Self::Suspended { .. }
            | Self::Api { .. } => Topic::App,
        }
    }
}

/// A token that may read the members of an organization, and nothing else.
#[derive(Debug)]
pub(super) struct MembersToken {
    pub(super) secret: SecretString,
    /// How long it lasts from now.
    pub(super) lifetime: TimeDelta,
}

/// A token of an installation.
#[derive(Debug)]
pub(super) struct InstallationToken {
    pub(super) secret: SecretString,
    pub(super) permissions: BTreeMap<Permission, Level>,
    pub(super) repositories: BTreeSet<RepoName>,
    /// How long it lasts from now.
    pub(super) lifetime: TimeDelta,
    /// The installation in the browser.
    pub(super) settings: String,
    /// Whether the installation belongs to another owner than the one in the repository's name.
    pub(super) is_elsewhere: bool,
    /// The App's name, as a part of the name of its account.
    pub(super) app: Option<String>,
}

/// An installation in an answer.
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
struct RepositoryInstallation {
    installation: Installation,
    /// The id of the repository, if it has another name now.
    id: Option<u64>,
    /// Whether the repository was transferred to another owner with an installation of the App.
    is_elsewhere: bool,
}

impl Installation {
    /// The level of a permission; none if it lacks it.
    fn level_of(&self, permission: Permission) -> Option<Level> {
        Level::parse(self.permissions.get(permission.as_str())?)
    }

    /// The permissions of `needs` that it has.
    fn permissions_for(&self, needs: &Needs) -> BTreeMap<Permission, Level> {
        permissions_for(&self.permissions, needs)
    }
}

fn permissions_for(permissions: &BTreeMap<String, String>, needs: &Needs) -> BTreeMap<Permission, Level> {
    let of = |permission: Permission| Level::parse(permissions.get(permission.as_str())?);
    let levels = needs.permissions().into_iter();
    levels.filter_map(|(permission, level)| Some((permission, level.min(of(permission)?)))).collect()
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

/// An App that has signed in.
struct Session<'a> {
    app: &'a App,
    api: &'a Api,
    mask: Mask,
    jwt: SecretString,
}

impl App {
    /// Mints a token for the repositories of `needs`, which are all of one owner, and for
    /// `repository`, which is one of them.
    ///
    /// May be repeated: each answer is another token.
    ///
    /// # Errors
    ///
    /// When it may not act in `repository`, or GitHub does not answer. The token leaves out other repositories
    /// where it may not act.
    pub(super) async fn mint(
        &self,
        api: &Api,
        mask: Mask,
        repository: &RepoName,
        needs: &Needs,
    ) -> Result<InstallationToken, AppError> {
        let find = async |session: &Session<'_>| session.installation_for(repository).await;
        let (session, RepositoryInstallation { installation, id, is_elsewhere }) =
            self.sign_in_and_find(api, mask, find).await?;
        self.check_suspension(&installation, || Area::Repository(repository.clone()))?;
        let permissions = installation.permissions_for(needs);
        let is_asked_for = |name: &&RepoName| !is_elsewhere || *name == repository;
        let mut repositories: BTreeSet<RepoName> =
            needs.repositories().filter(is_asked_for).cloned().collect();
        let names = Limit::Names(repositories.iter().map(|name| name.name().to_owned()).collect());
        let reply = match session.access_token(installation.id, &names, &permissions).await {
            // One of them is not selected or has another name, and GitHub does not say which.
            Err(AppError::Api { source, .. })
                if source.status() == Some(StatusCode::UNPROCESSABLE_ENTITY)
                    && (repositories.len() > 1 || id.is_some()) =>
            {
                let selection = session.selection(repositories, repository, (installation.id, id)).await?;
                let names = Limit::Names(session.names(installation.id, &selection).await?);
                repositories = selection.into_keys().collect();
                session.access_token(installation.id, &names, &permissions).await?
            }
            answer => answer?,
        };
        Ok(InstallationToken {
            secret: reply.token,
            permissions: reply
                .permissions
                .map_or(permissions, |permissions| permissions_for(&permissions, needs)),
            repositories,
            lifetime: reply.lifetime,
            settings: installation.html_url,
            is_elsewhere,
            app: installation.app_slug,
        })
    }

    /// Mints a token that may read the members of `organization`, and nothing else. It is not limited to
    /// repositories: a team belongs to none.
    ///
    /// May be repeated: each answer is another token.
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
        let find = async |session: &Session<'_>| session.installation_on(organization).await;
        let (session, installation) = self.sign_in_and_find(api, mask, find).await?;
        let Some((installation, _)) = installation else {
            return Err(AppError::NotInstalled { app: self.id.clone(), area: area() });
        };
        self.check_suspension(&installation, area)?;
        let read = Grant { permission: Permission::Members, level: Level::Read };
        if installation.level_of(read.permission) < Some(read.level) {
            let (app, settings) = (self.id.clone(), installation.html_url);
            return Err(AppError::NotGranted { app, area: area(), missing_grants: vec![read], settings });
        }
        let permissions = BTreeMap::from([(read.permission, read.level)]);
        let reply = session.access_token(installation.id, &Limit::None, &permissions).await?;
        Ok(MembersToken { secret: reply.token, lifetime: reply.lifetime })
    }

    /// Signs in and sends the request `find`. If this machine's clock is wrong, it does so again by GitHub's clock.
    async fn sign_in_and_find<'a, T>(
        &'a self,
        api: &'a Api,
        mask: Mask,
        find: impl AsyncFn(&Session<'a>) -> Result<T, AppError>,
    ) -> Result<(Session<'a>, T), AppError> {
        let session = self.sign_in(api, mask, TimeDelta::zero())?;
        match find(&session).await {
            Err(AppError::Clock { ahead: Some(ahead), .. }) => {
                let problem = format!(
                    "{}: the GitHub App {} signs in with GitHub's time",
                    clock_difference(Some(ahead)),
                    self.id
                );
                Problem::new(problem).help(Topic::App, CORRECT_CLOCK).warn();
                let session = self.sign_in(api, mask, ahead)?;
                let answer = find(&session).await?;
                Ok((session, answer))
            }
            answer => Ok((session, answer?)),
        }
    }

    /// Checks that the owner has not suspended the App.
    fn check_suspension(
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

    /// Signs in from a machine whose clock is `ahead` of GitHub's by this time.
    fn sign_in<'a>(&'a self, api: &'a Api, mask: Mask, ahead: TimeDelta) -> Result<Session<'a>, AppError> {
        let app = || self.id.clone();
        let key = self.key.as_ref().map_err(|no_key| match no_key {
            NoKey::Blank => AppError::NoKey { app: app() },
            NoKey::Unusable(problem) => AppError::UnusableKey { app: app(), problem: *problem },
        })?;
        let now = api.clock().now() - ahead;
        let claims = Claims {
            iat: (now - BACKDATE).timestamp(),
            exp: (now + SIGNATURE_LIFETIME).timestamp(),
            iss: &self.id,
        };
        let jwt = key.sign(&claims);
        let jwt = jwt.map_err(|source| AppError::Signing { app: app(), source })?;
        mask_signed(mask, &jwt);
        Ok(Session { app: self, api, mask, jwt: jwt.into() })
    }
}

impl Session<'_> {
    async fn ask(&self, line: RequestLine, body: Option<&Value>) -> Result<Answer, AppError> {
        self.api.send(&Call::new(line, body, &self.jwt)).await.map_err(|error| self.explain(error))
    }

    /// Distinguishes a bad signature from other refusals.
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
            _ => AppError::Api { app, source: Box::new(error) },
        }
    }

    /// The installation that covers `repository`.
    async fn installation_for(&self, repository: &RepoName) -> Result<RepositoryInstallation, AppError> {
        let of_repository = self.installation_at(format!("/repos/{repository}/installation")).await?;
        if let Some((installation, id @ None)) = of_repository {
            return Ok(RepositoryInstallation { installation, id, is_elsewhere: false });
        }
        let app = self.app.id.clone();
        let of_owner = self.installation_on(repository.owner()).await?;
        if let Some((installation, id)) = of_repository {
            // A renamed owner has the same installation.
            let is_elsewhere = of_owner.is_some_and(|(of_owner, _)| of_owner.id != installation.id);
            return Ok(RepositoryInstallation { installation, id, is_elsewhere });
        }
        Err(match of_owner {
            Some((Installation { html_url: settings, .. }, _)) => {
                AppError::NotSelected { app, repository: repository.clone(), settings }
            }
            None => AppError::NotInstalled { app, area: Area::Repository(repository.clone()) },
        })
    }

    /// The installation on an account or an organization.
    async fn installation_on(&self, owner: &str) -> Result<Option<(Installation, Option<u64>)>, AppError> {
        // This path answers for organizations too.
        self.installation_at(format!("/users/{owner}/installation")).await
    }

    async fn installation_at(&self, path: String) -> Result<Option<(Installation, Option<u64>)>, AppError> {
        let line = RequestLine::new(Method::GET, path, "show the App's installation");
        match self.ask(line, None).await {
            Ok(answer) => {
                let installation = answer.json().map_err(|error| self.explain(error))?;
                Ok(Some((installation, answer.new_path.as_deref().and_then(id_in))))
            }
            Err(AppError::Api { source, .. }) if source.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The `repositories` of this installation of the App, each with its id if it has another name now; `repository`
    /// is one of them. A repository that was transferred to another owner has another installation.
    async fn selection(
        &self,
        repositories: BTreeSet<RepoName>,
        repository: &RepoName,
        (installation, id): (u64, Option<u64>),
    ) -> Result<BTreeMap<RepoName, Option<u64>>, AppError> {
        let mut selection = BTreeMap::new();
        for name in repositories {
            if name == *repository {
                selection.insert(name, id);
            } else if let Some((other, id)) =
                self.installation_at(format!("/repos/{name}/installation")).await?
                && other.id == installation
            {
                selection.insert(name, id);
            }
        }
        Ok(selection)
    }

    /// The present names of the repositories. GitHub mints tokens by names or by ids, and its answer names the
    /// repositories: a token without permissions is minted for that, and revoked.
    async fn names(
        &self,
        installation: u64,
        selection: &BTreeMap<RepoName, Option<u64>>,
    ) -> Result<Vec<String>, AppError> {
        let ids: Vec<u64> = selection.values().copied().flatten().collect();
        let mut new_names = BTreeMap::new();
        if !ids.is_empty() {
            let reply = self.access_token(installation, &Limit::Ids(ids), &BTreeMap::new()).await?;
            let line = RequestLine::new(Method::DELETE, "/installation/token", "revoke a token");
            if let Err(error) = self.api.send_once(&Call::new(line, None, &reply.token)).await {
                tracing::debug!("a token is not revoked, and expires by itself within the hour: {error}");
            }
            new_names.extend(
                reply.repositories.into_iter().map(|repository| (repository.id, repository.full_name)),
            );
        }
        let names = selection.iter().map(|(old, id)| match id.and_then(|id| new_names.get(&id)) {
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
    ) -> Result<TokenReply, AppError> {
        // Without a permission in the request, the token would have all permissions of the App.
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
        // The error's reason could quote the token.
        let reply: Result<TokenReply, ApiError> = answer.json();
        let reply = reply.map_err(|_| answer.error("it holds no usable token"));
        let reply = reply.map_err(|error| self.explain(error))?;
        (self.mask)(reply.token.expose_secret());
        let now = answer.date().unwrap_or_else(|| self.api.clock().now());
        Ok(TokenReply { lifetime: (reply.expires_at - now).min(HOUR), ..reply })
    }
}

/// The repositories of a token: by their names without their owner, or by their ids.
enum Limit {
    Names(Vec<String>),
    Ids(Vec<u64>),
    /// All of the installation.
    None,
}

/// A repository of a token.
#[derive(Deserialize)]
struct Repository {
    id: u64,
    full_name: RepoName,
}

/// A new token in an answer.
#[derive(Deserialize)]
struct TokenReply {
    #[serde(deserialize_with = "deserialize_token")]
    token: SecretString,
    #[serde(deserialize_with = "time")]
    expires_at: DateTime<Utc>,
    #[serde(default)]
    permissions: Option<BTreeMap<String, String>>,
    #[serde(default)]
    repositories: Vec<Repository>,
    /// From now, by GitHub's clock alone.
    #[serde(skip)]
    lifetime: TimeDelta,
}
