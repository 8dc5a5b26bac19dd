//! Tokens: who acts, and what they may do where.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::World;
use crate::issue::same;
use crate::repository::RepoKey;

/// How far a permission reaches.
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

    /// A permission as it is written for a world: `issues: write`.
    pub(crate) fn named(permission: &str) -> (String, Self) {
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
    /// Whether it is told of private members of organizations.
    pub(crate) sees_members: bool,
    pub(crate) revoked: bool,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// The installation that it is a token of.
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
            revoked: false,
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

    /// Whether it is good for anything.
    pub(crate) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        !self.revoked && self.expires_at.is_none_or(|end| now < end)
    }

    pub(crate) fn grant_all(&mut self, keys: &[RepoKey], permissions: &BTreeMap<String, Level>) {
        self.grants.extend(keys.iter().map(|key| (key.clone(), permissions.clone())));
    }

    /// Whether anything was granted in the organization, or in a repository of it.
    pub(crate) fn knows(&self, organization: &str) -> bool {
        self.grants.keys().any(|key| key.is_of(organization))
    }

    /// Whether anything was granted in the repository.
    pub(crate) fn reaches(&self, key: &RepoKey) -> bool {
        self.everything || self.grants.contains_key(key)
    }

    pub(crate) fn may(&self, key: &RepoKey, permission: &str, level: Level) -> bool {
        if self.everything {
            return true;
        }
        let Some(granted) = self.grants.get(key) else {
            return false;
        };
        if permission == "metadata" && level == Level::Read {
            return true;
        }
        granted.get(permission).is_some_and(|most| *most >= level)
    }

    /// Keeps what was granted in a repository that has another name now.
    pub(crate) fn follow(&mut self, from: &RepoKey, to: &RepoKey) {
        if let Some(granted) = self.grants.remove(from) {
            self.grants.insert(to.clone(), granted);
        }
        if self.no_push.remove(from) {
            self.no_push.insert(to.clone());
        }
    }

    /// Whether labels and assignees are heeded and other people's comments can be edited.
    pub(crate) fn can_push(&self, key: &RepoKey) -> bool {
        self.reaches(key) && !self.no_push.contains(key)
    }
}

pub(crate) fn is_bot(login: &str) -> bool {
    login.ends_with("[bot]")
}

/// A handle on a token, for setting it up. Cheap to clone; every method gives it back.
///
/// At first a token acts as `github-actions[bot]` and reaches public repositories only.
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

    /// Says who acts. A login that ends in `[bot]` is a GitHub App's.
    pub fn acts_as(&self, login: &str) -> Self {
        self.change(|token| token.actor = login.into())
    }

    /// Grants permissions such as `issues: write` in a repository, or such as `members: read` in an
    /// organization, which is named alone. In a repository `metadata: read` is always among them.
    ///
    /// # Panics
    ///
    /// If a permission is not written `name: read`, `name: write` or `name: admin`.
    pub fn can(&self, repository: &str, permissions: &[&str]) -> Self {
        self.change(|token| {
            let granted = token.grants.entry(RepoKey::new(repository)).or_default();
            granted.extend(permissions.iter().map(|permission| Level::named(permission)));
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

    /// Takes push access away: labels and assignees of new issues are dropped in silence,
    /// and other people's comments cannot be edited.
    pub fn without_push(&self, repository: &str) -> Self {
        self.change(|token| {
            token.no_push.insert(RepoKey::new(repository));
        })
    }

    /// Makes the token worthless: every request with it is a 401 from now on.
    pub fn revoke(&self) {
        self.change(|token| token.revoked = true);
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Anonymous,
    Token {
        secret: String,
        actor: String,
    },
    /// A GitHub App that signed in itself.
    App {
        slug: String,
        login: String,
    },
}

impl Caller {
    /// The login that acts. Nobody writes without one.
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
