//! Tokens: their logins, and their permissions.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::World;
use crate::issue::same;
use crate::repository::RepoKey;

/// The level of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Read,
    Write,
    Admin,
}

impl Level {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Parses a permission such as `issues: write`. Panics if it is invalid.
    pub(crate) fn parse_permission(permission: &str) -> (String, Self) {
        let (name, level) = permission.split_once(':').expect("a permission is written `name: level`");
        let level = Self::parse(level.trim()).expect("a level is read, write or admin");
        (name.trim().replace('-', "_"), level)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug)]
pub(crate) struct TokenData {
    pub(crate) actor: String,
    pub(crate) everything: bool,
    /// Whether it sees private members of organizations.
    pub(crate) sees_members: bool,
    pub(crate) is_revoked: bool,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// The id of its installation, if it is a token of one.
    pub(crate) installation: Option<u64>,
    grants: BTreeMap<RepoKey, BTreeMap<String, Level>>,
    no_push: BTreeSet<RepoKey>,
}

impl Default for TokenData {
    fn default() -> Self {
        Self {
            actor: "github-actions[bot]".into(),
            everything: false,
            sees_members: false,
            is_revoked: false,
            expires_at: None,
            installation: None,
            grants: BTreeMap::new(),
            no_push: BTreeSet::new(),
        }
    }
}

impl TokenData {
    pub(crate) fn is_bot(&self) -> bool {
        is_bot(&self.actor)
    }

    /// Whether it is neither revoked nor expired.
    pub(crate) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|end| now < end)
    }

    pub(crate) fn grant_all(&mut self, keys: &[RepoKey], permissions: &BTreeMap<String, Level>) {
        self.grants.extend(keys.iter().map(|key| (key.clone(), permissions.clone())));
    }

    /// Whether it has permissions in the organization, or in a repository of it.
    pub(crate) fn knows(&self, organization: &str) -> bool {
        self.grants.keys().any(|key| key.is_of(organization))
    }

    /// Whether it has permissions in the repository.
    pub(crate) fn reaches(&self, key: &RepoKey) -> bool {
        self.everything || self.grants.contains_key(key)
    }

    pub(crate) fn may(&self, key: &RepoKey, permission: &str, level: Level) -> bool {
        if self.everything {
            return true;
        }
        let Some(grants) = self.grants.get(key) else {
            return false;
        };
        if permission == "metadata" && level == Level::Read {
            return true;
        }
        grants.get(permission).is_some_and(|most| *most >= level)
    }

    /// Keeps the permissions in a repository under its new name.
    pub(crate) fn follow(&mut self, from: &RepoKey, to: &RepoKey) {
        if let Some(grants) = self.grants.remove(from) {
            self.grants.insert(to.clone(), grants);
        }
        if self.no_push.remove(from) {
            self.no_push.insert(to.clone());
        }
    }

    /// Whether it has push access: GitHub heeds its labels and assignees, and it can edit comments of others.
    pub(crate) fn can_push(&self, key: &RepoKey) -> bool {
        self.reaches(key) && !self.no_push.contains(key)
    }
}

pub(crate) fn is_bot(login: &str) -> bool {
    login.ends_with("[bot]")
}

/// A handle on a token, for tests that set it up. Cheap to clone; every method returns it.
///
/// A new token acts as `github-actions[bot]` and reaches public repositories only.
#[derive(Clone)]
pub struct Token {
    pub(crate) world: World,
    pub(crate) secret: String,
}

impl Token {
    fn change(&self, change: impl FnOnce(&mut TokenData)) -> Self {
        let mut state = self.world.lock();
        change(state.token_mut(&self.secret));
        drop(state);
        self.clone()
    }

    /// Sets its login. A login that ends in `[bot]` belongs to a GitHub App.
    pub fn acts_as(&self, login: &str) -> Self {
        self.change(|token| token.actor = login.into())
    }

    /// Grants permissions such as `issues: write` in a repository `owner/name`, or such as `members: read` in an
    /// organization `owner`. In a repository, `metadata: read` is always among them.
    ///
    /// # Panics
    ///
    /// If a permission is not written `name: read`, `name: write` or `name: admin`.
    pub fn can(&self, repository: &str, permissions: &[&str]) -> Self {
        self.change(|token| {
            let grants = token.grants.entry(RepoKey::new(repository)).or_default();
            grants.extend(permissions.iter().map(|permission| Level::parse_permission(permission)));
        })
    }

    /// Grants every permission in every repository.
    pub fn can_everything(&self) -> Self {
        self.change(|token| token.everything = true)
    }

    /// Lets it see private members of organizations.
    pub fn sees_members(&self) -> Self {
        self.change(|token| token.sees_members = true)
    }

    /// Removes push access: GitHub drops labels and assignees of its new issues in silence, and it cannot
    /// edit comments of others.
    pub fn without_push(&self, repository: &str) -> Self {
        self.change(|token| {
            token.no_push.insert(RepoKey::new(repository));
        })
    }

    /// Revokes the token: from now on, every request with it is a 401.
    pub fn revoke(&self) {
        self.change(|token| token.is_revoked = true);
    }
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Anonymous,
    Token {
        secret: String,
        actor: String,
    },
    /// A GitHub App with a token that it signed.
    App {
        slug: String,
        login: String,
    },
}

impl Caller {
    /// The login of the sender. Without a token it has no meaning: no route writes then.
    pub(crate) fn login(&self) -> &str {
        match self {
            Self::Anonymous => "ghost",
            Self::Token { actor, .. } => actor,
            Self::App { login, .. } => login,
        }
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Self::Anonymous | Self::App { .. } => None,
            Self::Token { secret, .. } => Some(secret),
        }
    }

    pub(crate) fn is(&self, login: &str) -> bool {
        *self != Self::Anonymous && same(self.login(), login)
    }
}
